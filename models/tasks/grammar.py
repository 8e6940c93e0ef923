"""The small template language in which tasks write their sentences.

    {a|b|c}        one of the alternatives; they nest and may be empty
    $H  $H.they    a slot, or an attribute of one; $H.They starts a sentence
    [H> Text.]     H says the text, in one of several forms
    [H:sad> Text.] the same, in a mood
"""

import re
from functools import lru_cache

SLOT = re.compile(r"\$([A-Z][A-Za-z0-9]*)(?:\.([A-Za-z]+))?")
SPEECH = re.compile(r"\[([A-Z]\w*)(?::(\w+))?> ?")

MOODS = {
    "happy": (["said", "cried", "laughed"],
              ["with a big smile", "happily", "with shining eyes", "and smiled", "and laughed"]),
    "sad": (["said", "cried", "sighed"],
            ["sadly", "in a small voice", "with tears in {their} eyes", "and looked down"]),
    "angry": (["shouted", "cried", "said"], ["in a loud voice", "and stamped {their} foot"]),
    "scared": (["whispered", "cried", "said"], ["in a shaky voice", "and held on tight"]),
    "kind": (["said"], ["kindly", "softly", "gently", "with a warm smile", "in a soft voice"]),
    "proud": (["said", "called", "cried"], ["proudly", "with a big grin", "and stood very tall"]),
    "shy": (["said", "whispered"], ["shyly", "in a quiet voice", "very softly"]),
    "plain": (["said"], []),
}


@lru_cache(maxsize=None)
def parse(text):
    """Turns a template into a tree, once: stories expand each one thousands of times."""
    nodes, end = _sequence(text, 0, "")
    assert end == len(text), f"unbalanced template: {text!r}"
    return nodes


def _sequence(text, at, stops):
    nodes = []
    while at < len(text) and text[at] not in stops:
        if text[at] == "{":
            choices, at = _choices(text, at + 1)
            nodes.append(("one", choices))
        elif match := SLOT.match(text, at):
            nodes.append(("slot", match[1], match[2] or ""))
            at = match.end()
        elif match := SPEECH.match(text, at):
            body, at = _sequence(text, match.end(), "]")
            nodes.append(("say", match[1], match[2] or "plain", body))
            at += 1
        else:
            start, at = at, at + 1
            while at < len(text) and text[at] not in "{|}$[]":
                at += 1
            nodes.append(text[start:at])
    return nodes, at


def _choices(text, at):
    choices = []
    while True:
        nodes, at = _sequence(text, at, "|}")
        choices.append(nodes)
        at += 1
        if text[at - 1] == "}":
            return choices, at


def capital(text):
    return text[:1].upper() + text[1:]


def expand(nodes, rng, slots):
    out = []
    for node in nodes:
        if isinstance(node, str):
            out.append(node)
        elif node[0] == "one":
            out.append(expand(rng.choice(node[1]), rng, slots))
        elif node[0] == "slot":
            out.append(_attribute(slots[node[1]], node[2]))
        else:
            out.append(_speech(node, rng, slots))
    return "".join(out)


def _attribute(entity, name):
    if name and name[0].isupper():
        return capital(entity[name.lower()])
    return entity[name]


def _speech(node, rng, slots):
    """Quotes a line; the verb follows the mood and the sentence's last mark."""
    _, who, mood, body = node
    entity = slots[who]
    name = entity[""]
    text = expand(body, rng, slots)
    verbs, tails = MOODS[mood]
    verb = rng.choice(verbs)
    if text[-1] == "?" and mood in ("plain", "kind", "shy"):
        verb = "asked"
    tail = ""
    if tails and verb in ("said", "asked", "cried") and rng.random() < 0.5:
        tail = " " + rng.choice(tails).replace("{their}", entity["their"])
    if rng.random() < 0.4 and not (tail and " and " in tail):
        return f'{capital(name)} {verb}{tail}, "{text}"'
    quoted = text[:-1] + "," if text[-1] == "." else text
    if tail or rng.random() < 0.3:
        return f'"{quoted}" {name} {verb}{tail}.'
    return f'"{quoted}" {verb} {name}.'


ARTICLE = re.compile(r"\b([Aa]) (?=[aeiouAEIOU])(?!uni|use|one|Uni|One)")


BEGINNING = re.compile(r"(?:^|(?<=[.!?] ))[a-z]")


def tidy(text):
    """Repairs what free choice leaves behind: articles, doubled spaces, small letters that begin a sentence."""
    text = ARTICLE.sub(r"\1n ", text)
    text = re.sub(r" +([.,!?])", r"\1", re.sub(r" {2,}", " ", text)).strip()
    return BEGINNING.sub(lambda letter: letter[0].upper(), text)


SENTENCE = re.compile(r"(?<=[.!?]) (?=[A-Z\"])")


def pronouns(text, rng, cast, share=0.6):
    """Says "she" for a name that also began the sentence before, where nobody else is meant."""
    sentences, subject = SENTENCE.split(text), None
    for i, sentence in enumerate(sentences):
        known, subject = subject, None
        for who in cast:
            if sentence.startswith(who["name"] + " ") and not sentence.startswith(who["name"] + " and "):
                others = any(o["name"] in sentence for o in cast if o is not who)
                subject = who if not others and '"' not in sentence else None
                if who is known and rng.random() < share:
                    sentences[i] = capital(who["they"]) + sentence[len(who["name"]):]
    return " ".join(sentences)
