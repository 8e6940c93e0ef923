/* The kinds that look for whole tokens in the text: Unigram, WordPiece and RWKV's greedy match. */
#include <string.h>

#include "base/mem.h"
#include "guest/tokenize_state.h"

/* The longest token that the text begins with; VOCAB_ABSENT: none. */
static uint32_t longest(guest_tokenizer *t, uint32_t node, base_span text, size_t *size)
{
    uint32_t found = VOCAB_ABSENT;
    for (size_t i = 0; i < text.size && (node = base_vocab_child(t->vocab, node, text.data[i])); i++) {
        t->work++;
        if (t->vocab->trie_tokens[node] == VOCAB_ABSENT) continue;
        found = t->vocab->trie_tokens[node];
        *size = i + 1;
    }
    t->work++;
    return found;
}

bool token_greedy_text(guest_tokenizer *t, base_span text)
{
    while (text.size) {
        size_t n = 1;
        uint32_t token = longest(t, 0, text, &n);
        if (!(token == VOCAB_ABSENT ? token_put_bytes(t, text.data, n) : token_put(t, token))) return false;
        text = (base_span){text.data + n, text.size - n};
    }
    return true;
}

static size_t character_count(base_span word)
{
    size_t count = 0;
    for (size_t i = 0; i < word.size; i++)
        count += (word.data[i] & 0xc0) != 0x80;
    return count;
}

/* The first piece of a word begins with the mark of a space; a word that does not come out even is unknown. */
bool token_piece_word(guest_tokenizer *t, base_span word)
{
    const base_vocab *v = t->vocab;
    uint32_t node = 0;
    size_t before = t->out->count;
    bool fits = v->word_max == 0 || character_count(word) <= v->word_max;
    for (const char *mark = SPACE_MARK; *mark && fits; mark++)
        fits = (node = base_vocab_child(v, node, (uint8_t)*mark)) != 0;
    while (fits && word.size) {
        size_t n = 0;
        uint32_t token = longest(t, node, word, &n);
        if (token == VOCAB_ABSENT) break;
        if (!token_put(t, token)) return false;
        word = (base_span){word.data + n, word.size - n};
        node = 0;
    }
    if (fits && !word.size) return true;
    t->out->count = before;
    return v->unk == VOCAB_ABSENT || token_put(t, v->unk);
}

static void offer(token_path *to, double score, size_t from, uint32_t token)
{
    if (score > to->score) *to = (token_path){score, (uint32_t)from, token};
}

/* The best path to every place of the word that one can reach. */
static void find_paths(guest_tokenizer *t, base_span word)
{
    const base_vocab *v = t->vocab;
    for (size_t i = 0; i <= word.size; i++)
        t->paths[i] = (token_path){-__DBL_MAX__, 0, VOCAB_ABSENT};
    t->paths[0].score = 0;
    for (size_t at = 0, n; at < word.size; at += n) {
        double score = t->paths[at].score;
        uint32_t node = 0, c;
        bool covered = false;
        n = base_utf8_decode(word.data + at, word.size - at, &c);
        if (n == 0) n = 1;
        for (size_t i = at; i < word.size && (node = base_vocab_child(v, node, word.data[i])); i++) {
            uint32_t token = v->trie_tokens[node];
            t->work++;
            if (token == VOCAB_ABSENT) continue;
            covered |= i + 1 - at == n;
            double own = v->types[token] == VOCAB_USER_DEFINED ? 0 : (double)v->scores[token];
            offer(&t->paths[i + 1], score + own, at, token);
        }
        if (!covered) offer(&t->paths[at + n], score + t->unknown_score, at, VOCAB_ABSENT);
        t->work++;
    }
}

bool token_unigram_word(guest_tokenizer *t, base_span word)
{
    if (!BASE_GROW(t->paths, t->path_room, word.size + 1)) return false;
    find_paths(t, word);
    /* turn the path round, so that it leads forwards: `from` becomes where the token at a place ends */
    uint32_t end = (uint32_t)word.size, token = VOCAB_ABSENT, after = 0;
    for (bool done = false; !done;) {
        token_path *p = &t->paths[end];
        uint32_t from = p->from, own = p->token;
        done = end == 0;
        p->token = token;
        p->from = after;
        token = own;
        after = end;
        end = from;
    }
    for (uint32_t at = 0; at < word.size; at = t->paths[at].from) {
        uint32_t id = t->paths[at].token;
        if (!(id == VOCAB_ABSENT ? token_put_bytes(t, word.data + at, t->paths[at].from - at) : token_put(t, id)))
            return false;
    }
    return true;
}
