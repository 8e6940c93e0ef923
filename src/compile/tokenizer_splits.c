/* The pre-tokenizers that tokenizer.json files write out as regular expressions, by the names that GGUF has for them. A
 * rule that is not here is refused, since a slightly wrong one would be noticed by nobody. */
#include <string.h>

#include "compile/tokenizer_json.h"

#define FORMS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define WORD "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define SIGNS " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED(suffix)                                                                                                  \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" suffix "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" suffix
#define SLASHED " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define CJK3 "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
#define CODE_WORDS                                                                                                     \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "                \
    "?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
#define NEXT "\x1f"

static const struct {
    const char *rule, *name;
} splits[] = {
    {"bytes", "gpt-2"},
    {GPT2, "gpt-2"},
    {"digits" NEXT "bytes", "starcoder"},
    {"digits" NEXT GPT2, "starcoder"},
    {"\\p{N}" NEXT "bytes", "starcoder"},
    {FORMS "|" WORD "|\\p{N}{1,3}|" SIGNS "|" SPACES, "llama-bpe"},
    {FORMS "|" WORD "|\\p{N}|" SIGNS "|" SPACES, "qwen2"},
    {FORMS "|" WORD "|\\p{N}{1}|" SIGNS "|" SPACES, "qwen2"},
    {WORD "|\\p{N}|" SIGNS "|" SPACES, "ufakzeka"},
    {FORMS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" SPACES, "qwen35"},
    {FORMS "|" WORD "|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\r\n]+|\\s*[\r\n]+|\\s+(?!\\S)|\\s+", "seed-coder"},
    {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| "
     "?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|"
     "\\s+",
     "bailingmoe"},
    {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|"
     "\\s+(?!\\S)|\\s+",
     "llama-bpe"},
    {CASED(FORMS "?") "|\\p{N}{1,3}|" SLASHED, "wisp-o200k"},
    {CASED("") "|\\p{N}|" SLASHED, "wisp-tekken"},
    {"\\p{N}{1,3}" NEXT CJK3 NEXT CODE_WORDS, "deepseek-v3"},
    {"[\r\n]" NEXT "\\s?\\p{L}+" NEXT "\\s?\\p{P}+" NEXT "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+" NEXT "digits",
     "deepseek-coder"},
    {" ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+", "bloom"},
    {"punctuation" NEXT "bytes" NEXT "digits together" NEXT "[0-9][0-9][0-9]", "falcon"},
};

const char *compile_split_name(const char *rule)
{
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++)
        if (strcmp(rule, splits[i].rule) == 0) return splits[i].name;
    return NULL;
}
