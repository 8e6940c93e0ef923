"""Children's stories: a cast, a plot, and the choice of every sentence's form."""

import random
import zlib

from . import words
from .grammar import expand, parse, pronouns, tidy
from .plots import PLOTS

HELD_OUT_SHARE = 16  # one in so many combinations of plot, hero and subject is kept from training


def person(name, gender, kind, adjective):
    """A character's forms; every pronoun in a story comes from here."""
    they, them, their = ("she", "her", "her") if gender == "f" else ("he", "him", "his")
    return {"": name, "name": name, "they": they, "them": them, "their": their, "self": them + "self",
            "kind": kind, "adj": adjective, "intro": f"a {adjective} {kind} named {name}"}


def thing(noun, adjective):
    return {"": noun, "a": f"a {adjective} {noun}", "the": f"the {noun}", "full": f"{adjective} {noun}",
        "adj": adjective}


def place(row):
    name, preposition, _, spots = row
    return {"": name, "at": f"{preposition} {name}", "to": f"to {name}", "spots": spots.split(",")}


PLACES = {world: [place(row) for row in words.PLACES if row[2] in (world, "both")] for world in ("kid", "wild")}


class Story:
    """The slots of one story, filled by its plot; `subject` is what the held-out split goes by."""

    def __init__(self, rng):
        self.rng = rng
        self.slots = {}
        self.world = "kid"
        self.subject = ""

    def put(self, **texts):
        """Slots that are plain text; {their} in a table's row is the hero's."""
        for name, text in texts.items():
            if "{their}" in text:
                text = text.replace("{their}", self.slots["H"]["their"])
            self.slots[name] = {"": text, "cap": text[:1].upper() + text[1:]}

    def cast(self, worlds=("kid", "wild")):
        """A hero H, a friend F and a parent P, of one world."""
        self.world = self.rng.choice(worlds)
        self.slots["H"], self.slots["F"] = self._pair()
        self._parent()
        self._time()
        hobbies = words.KID_HOBBIES if self.world == "kid" else words.WILD_HOBBIES
        first, second = self.rng.sample(hobbies, 2)
        self.put(Hobby=first.strip(), Hobby2=second.strip())
        self.slots["L"], self.slots["L2"] = self.rng.sample(PLACES[self.world], 2)
        spots = self.rng.sample(self.slots["L"]["spots"], 3)
        self.put(S1=spots[0], S2=spots[1], S3=spots[2])

    def _pair(self):
        rng = self.rng
        adjectives = rng.sample(words.TRAITS, 2)
        if self.world == "wild":
            rows = rng.sample(words.ANIMALS, 2)
            self.put(Home=rows[0][1], Food=rows[0][2], Moved=rows[0][3], Food2=rows[1][2])
            names = rng.sample(words.PET_NAMES, 2)
            return [person(n, rng.choice("fm"), r[0], a) for n, r, a in zip(names, rows, adjectives)]
        self.put(Home=rng.choice(["a small house", "a little white house", "a big city", "a small town",
                                  "a house near the forest", "a village by the sea",
                                      "a yellow house on a hill"]),
                 Food=rng.choice(words.SWEETS) + "s", Moved=rng.choice(["ran", "walked", "skipped"]),
                                 Food2="cookies")
        pair = []
        while len(pair) < 2:
            gender = rng.choice("fm")
            name = rng.choice(words.GIRLS if gender == "f" else words.BOYS)
            if not pair or pair[0][""] != name:
                pair.append(person(name, gender, "girl" if gender == "f" else "boy", adjectives[len(pair)]))
        return pair

    def _parent(self):
        call, kind, gender = self.rng.choice([("Mom", "mom", "f"), ("Dad", "dad", "m"), ("Grandma",
                                               "grandma", "f"),
                                              ("Grandpa", "grandpa", "m"), ("Mom", "mom", "f"), ("Dad",
                                               "dad", "m")])
        self.slots["P"] = person(call, gender, kind, "kind")
        self.slots["P"]["call"] = call
        if self.rng.random() < 0.5:
            self.slots["P"][""] = f"{self.slots['H']['their']} {kind}"
            self.slots["P"]["name"] = self.slots["P"][""]

    def _time(self):
        sky = self.rng.choice(list(words.WEATHER))
        time = self.rng.choice(words.TIMES)
        self.put(Day=f"{sky} {time}", Time=time, Sky=self.rng.choice(words.WEATHER[sky]))

    def find(self, table, slot="O"):
        """A thing of a table, with one of the adjectives that suit it; its noun."""
        row = self.rng.choice(table)
        self.slots[slot] = thing(row[0], self.rng.choice(row[1:]))
        return row[0]

    def pick(self, table):
        return self.rng.choice(table)

    def helper(self):
        """A grown-up stranger: X at first sight ("an old man"), Y from then on ("the old man")."""
        name, they = self.rng.choice(words.HELPERS)
        adult = person(name, "f" if they == "she" else "m", "", "")
        adult["the"] = "the " + name.split(" ", 1)[1]
        self.slots["X"] = adult
        self.slots["Y"] = dict(adult, **{"": adult["the"], "name": adult["the"]})

    def animal(self, slot="A"):
        """A talking animal of another kind than the hero and the friend."""
        row = self.rng.choice(words.ANIMALS)
        while row[0] in (self.slots["H"]["kind"], self.slots["F"]["kind"]):
            row = self.rng.choice(words.ANIMALS)
        they = person("the " + row[0], self.rng.choice("fm"), row[0], self.rng.choice(["little", "big",
                      "old", "small"]))
        they["a"] = f"a {they['adj']} {row[0]}"
        self.slots[slot] = they
        return row[0]

    def write(self, template):
        """One paragraph's text."""
        text = tidy(expand(parse(template), self.rng, self.slots))
        return pronouns(text, self.rng, [self.slots[c] for c in "HFP"])

    def become(self, slot, kind, adjective=None):
        """Gives a character the kind that the plot needs."""
        who = self.slots[slot]
        who["kind"], who["adj"] = kind, adjective or who["adj"]
        who["intro"] = f"a {who['adj']} {kind} named {who['']}"

    def royal(self, title, they):
        self.slots["K"] = person("the " + title, "f" if they == "she" else "m", title, "")

    # Openings. Each leaves W as the words that begin the plot's first sentence.

    def alone(self, named=False):
        """Introduces H; `named` when the plot goes on as if H were known."""
        return self._opening(SOLO, 0.0 if named else 0.3)

    def together(self, named=False):
        return self._opening(PAIRS, 0.0 if named else 0.5)

    def _opening(self, intros, share):
        """An introduction, or, in this share of the stories, the weather or nothing at all."""
        chance = self.rng.random()
        first = self.rng.choice(["One $Day, ", "One day, ", "One $Time, "])
        if chance > share:
            intro = self.rng.choice(intros)
        elif chance > share / 2:
            intro, first = expand(parse(self.rng.choice(TIMED)), self.rng, self.slots), ""
            self.put(Sky="")  # the weather is told once
        else:
            intro, first = "", self.rng.choice([first, "", ""])
        self.put(W=expand(parse(first), self.rng, self.slots))
        return intro + " "


SOLO = [
    "Once upon a time, there was $H.intro. $H.They {loved|liked} to $Hobby.",
    "Once upon a time, there was $H.intro. $H.They lived in $Home {with $H.their family|}.",
    "Once upon a time, in $Home, there lived $H.intro.",
    "{Once there was|There once was} $H.intro {who loved to $Hobby|who lived in $Home}.",
    "$H was a $H.adj $H.kind who {loved|liked} to $Hobby.",
    "$H was a $H.adj $H.kind. $H.They lived in $Home.",
    "$H was a $H.adj $H.kind. {Every day|Each morning}, $H.they liked to $Hobby.",
    "$H loved to $Hobby. $H.They also liked to $Hobby2.",
    "There was a $H.kind named $H. $H.They was very $H.adj.",
    "A $H.adj $H.kind named $H lived in $Home.",
    "Once upon a time, a $H.kind named $H lived in $Home. {Everyone|Everybody} {liked|loved} $H.them "
    "because $H.they was so $H.adj.",
    "In $Home lived $H.intro.",
    "A long time ago, there was $H.intro. $H.They {loved|liked} to $Hobby.",
    "$H lived in $Home with $H.their family. $H.They was a {happy|$H.adj} $H.kind.",
    "The $H.adj $H.kind was named $H. $H.They {loved|liked} to $Hobby.",
    "$H was {three|four|five|six|seven} years old. $H.They {loved|liked} to $Hobby.",
]
PAIRS = [
    "$H and $F were {best friends|good friends|friends}. They {loved|liked} to $Hobby together.",
    "Once upon a time, there were two friends named $H and $F.",
    "Once upon a time, $H and $F were playing together.",
    "$H and $F lived {next door to each other|near each other}. "
    "They {played together every day|were best friends}.",
    "$H was a $H.adj $H.kind, and $H.their best friend was $F.",
    "Once upon a time, there was $H.intro. $H.Their best friend was {$F|a $F.kind named $F}.",
    "$H and $F did everything together.",
]
TIMED = ["It was a $Day. $Sky", "It was a $Day.", "What a lovely day it was! $Sky", "$Sky"]
CLOSINGS = ["The end.", "It was a very good day.", "And that night, $H slept very well.",
            "From then on, every day was a little brighter.",
            "$H would never forget that day.", "What a day it was!", "$H fell asleep with a smile that night."]


def draft(rng):
    """A story yet to be written: what the split goes by, the paragraphs' templates, the filled slots."""
    story = Story(rng)
    plot = rng.choice(PLOTS)
    paragraphs = [" ".join(p.split()) for p in plot(story).split("\n\n")]
    if rng.random() < 0.25:
        paragraphs = [*paragraphs[:-1], paragraphs[-1] + " " + rng.choice(CLOSINGS)]
    key = f"{plot.__name__}/{story.slots['H']['']}/{story.subject}"
    return key, paragraphs, story


def generate(seed, split):
    """An endless stream of stories of one split; the same seed gives the same stream."""
    rng = random.Random(f"stories/{split}/{seed}")
    while True:
        key, paragraphs, story = draft(rng)
        held_out = zlib.crc32(key.encode()) % HELD_OUT_SHARE == 0
        if held_out == (split == "held-out"):
            yield "\n".join(story.write(p) for p in paragraphs)
