"""Fables and fairy tales."""

from .. import words


def small_hero(s):
    s.cast(("wild",))
    big = s.pick(["lion", "bear", "elephant", "dragon", "horse"])
    small = s.pick(["mouse", "bee", "bird", "frog", "squirrel"])
    s.subject = big + small
    s.become("H", small, "little")
    s.become("F", big, "big")
    trap = s.pick([
        ("a strong net", "chewed the ropes, one by one, until the net fell apart"),
        ("a deep pit", "brought long vines from the trees and showed $F how to climb out"),
        ("a bush full of thorns", "pulled out the thorns, one by one"),
        ("the thick mud", "called all the other animals, and they pulled together"),
    ])
    s.put(Trap=trap[0], Free=trap[1].replace("$F", s.slots["F"][""]),
          Home=s.pick(["a tiny hole", "a small nest", "a hollow tree", "the tall grass"]),
          Hobby=s.pick(["sing", "dance", "explore", "help"]))
    return s.alone(named=True) + """
        Nearby lived a big $F.kind named $F. {Everyone was afraid of $F.|$F was the biggest animal of all.}
        $W$H {met|ran into} $F. [H> {Can I be your friend|Do you want to play with me}?] {$F laughed.|$F
        laughed very loudly.} [F> You? You are too {small|little}! {What can a little $H.kind do?|You can not
        help anyone!}]

        $H was sad and went away. {A few days later|The next day|Not long after that}, there was a loud cry.
        [F:scared> Help! Help!] $F was caught in $Trap. {$F pulled and pulled, but $F.they could not get
        out.|The more $F.they moved, the worse it got.}

        {All the other animals ran away.|Nobody came, because all were afraid.} But little $H {was not
        afraid|came quickly|did not run away}. [H:kind> {Do not move|Stay still}. {I will help you|I can get
        you out}.] [F:sad> {But you are so small|How can you help me}?] $H {worked|tried} all {day|night}.
        $H.They $Free. {At last|Finally}, $F was free!

        [F:kind> {Thank you, $H|You saved my life}. {I am sorry that I laughed at you|I was wrong|You are
        small, but you have a big heart}.] [H:happy> {That is okay|I was happy to help}. Can we be friends
        now?] [F:happy> {Yes|Of course}! Best friends!] {From then on, the big $F.kind and the little $H.kind
        were always together.|And nobody ever said again that $H was too small.|$F learned that even a small
        friend can be a great friend.}
    """


def wish(s):
    s.cast()
    s.subject = s.find(words.TREASURES)
    gift, trouble, undo = s.pick([ ("that it would rain candy",
                                 "Candy fell from the sky and hit everyone on the head",
                                 "all the candy turned into soft rain"), ("to be as tall as a tree",
                                 "Now no house was big enough, and everyone ran away",
                                 "everything was the right size again"), ("to fly",
                                 "The wind blew harder and harder, and the ground was far away",
                                 "two feet were back on the ground"), ("that night would never come",
                                 "Everyone got so tired, but nobody could sleep",
                                 "the moon and the stars came out"), ("that everything would turn to gold",
                                 "Even the bread was gold, and nobody could eat it",
                                 "the bread was soft and warm again"), ("to have a hundred toys",
                                 "There were so many toys that there was no room to play",
                                 "only one old toy was left, and it was the best one"),
                                 ("that it would always be winter",
                                 "All the flowers went to sleep and the birds flew away",
                                 "the sun came back and the snow was gone"), ("to be invisible",
                                 "Nobody could see or hear or hug anyone who was not there",
                                 "everyone could see again")])
    s.put(Gift=gift, Trouble=trouble, Undo=undo)
    return s.alone() + """
        $W$H was {playing|walking} $L.at. {$S1.cap|There}, $H.they found $O.a. {It began to {glow|shine}.|It
        was warm, and it glowed.} A {tiny|soft} voice said, "{I am magic. You may make one wish|You found me!
        I will give you one wish|Make a wish, $H}."

        {$H could not believe it!|$H thought and thought.|$H was so excited.} [H:happy> {I wish|I know! I
        wish} $Gift!] {Poof!|There was a flash of light.} {The wish came true.|And so it was.} {At first, it
        was {fun|wonderful}.|$H laughed and danced.}

        {But soon there was trouble.|But then something was wrong.|But it did not stay fun.} $Trouble. {Even
        $F was sad.|$F came and said, "{I do not like this|Please make it stop}."} {$H felt {bad|sorry}.|$H
        began to cry.} [H:sad> {This is not what I wanted|I made a bad wish}. {I want things to be the way
        they were|Please take it back}!]

        {$O.The glowed once more|$H held $O.the and closed $H.their eyes}. {Poof!|Then it was quiet.} When $H
        looked again, $Undo. {$H was so happy.|$H hugged $F.} [H:happy> {I have all I need|Now I know that I
        do not need magic to be happy}.] {$H put $O.the back $S1 and went home.|And $O.the? It was only an old
        $O again.|$H learned to be careful with wishes.}
    """


def castle(s):
    s.cast(("kid",))
    king = s.pick([("king", "he"), ("queen", "she"), ("princess", "she"), ("prince", "he")])
    problem, solved = s.pick([
        ("could not laugh anymore",
         "told the story of a cow who wanted to fly. First there was a smile, then a giggle, and then a "
         "great big laugh"),
        ("could not sleep at night", "sang a soft song about the moon. Slowly, two tired eyes closed"),
        ("had lost a golden ring",
         "looked in the one place where nobody had looked: inside the cake! And there it was"),
        ("was always sad and alone",
         'did not dance or do tricks, but just asked, "Do you want to be my friend?" And that was all '
         "that was needed"),
        ("was afraid of the dragon on the hill",
         "went up the hill and talked with the dragon. The dragon was not bad. It only had a bad tooth, "
         "and so it was always angry"),
        ("had no more water in the well",
         "followed a little frog behind the castle and found a stream under the stones"),
        ("had a garden where no flower would grow",
         "saw that a big wall took away all the sun. So they took down the wall"),
    ])
    s.subject = problem
    s.royal(*king)
    s.put(Problem=problem, Solved=solved, Kind=king[0])
    return """
        {Once upon a time|Long ago|A long time ago}, {in a castle on a hill|in a land far away|in a great
        stone castle}, there lived a $Kind. The $Kind had {everything|gold and silver and fine clothes}, but
        there was one trouble. The $Kind $Problem. [K:sad> {Who can help me|Is there nobody who can help me}?]

        {Many strong men and wise women came, but nobody could help.|Doctors came. Knights came. Nobody knew
        what to do.} {In the village below|Near the castle} lived $H.intro. {$H heard about it.|One day, $H
        heard the news.} [H> {I want to try|Maybe I can help|I will go to the castle}.] {The others
        laughed.|$F laughed.} [F> You? You are only a little $H.kind!]

        But $H was not afraid. {$H.They walked all the way to the castle.|$H.They went up the hill and knocked
        on the big door.} [K> {What can a little $H.kind do|Can you help me, little one}?] [H:kind> {I do not
        know, but I will try|Let me try}.] Then $H $Solved.

        {The whole castle cheered.|All the people danced in the streets.|The bells rang all day.} [K:happy>
        {You did what nobody else could do|Thank you, $H}! {What do you want? I will give you anything|You may
        have all the gold that you can carry}.] [H> {I do not need gold|I only want to come and visit you|I
        would like a big party for everyone}.] {And so it was.|The $Kind smiled and took $H.their hand.} {They
        were friends for the rest of their lives.|And they all lived happily ever after.|And the $Kind was
        never sad again.}
    """


def fallen_star(s):
    s.cast()
    s.animal()
    s.subject = s.slots["A"]["kind"]
    way, trick = s.pick([
        ("the highest hill", "threw the star as high as {they} could"),
        ("the tallest tree", "put the star on the very top branch"),
        ("the old tower", "held the star up to the moon"),
        ("the edge of the world", "blew softly under the star"),
        ("a mountain with snow on top", "let the star ride on the wind"),
    ])
    s.put(Way=way, Trick=trick.replace("{they}", s.slots["H"]["they"]))
    return s.alone(named=True) + """
        One {clear|quiet|dark} night, $H saw a little star fall from the sky. {It landed $S1.|It came down
        softly in the garden.} {$H ran outside.|$H put on $H.their shoes and ran out.} The star was {as small
        as an apple|no bigger than a hand}, and it was crying. "{I fell down and I can not get back|I want to
        go home to the sky}," said the star.

        [H:kind> {Do not cry, little star|Poor little star}. {I will take you home|I will find a way}.] $H put
        the star in {a jar|a basket|a pocket}, and it gave a soft light. {They walked through the dark
        forest.|They walked and walked.} On the way, they met $A.a. [A> {Where are you going so late|What is
        that light}?] [H> {I must bring this star back to the sky|This star is lost}. {Do you know the way|Can
        you help us}?]

        [A:kind> {You must go to $Way|Only from $Way can a star get home}. I will {show you the way|come with
        you}.] {It was a long way.|It was cold, and $H was tired.} {$H wanted to sleep, but the star was
        getting weak.|The light of the star became weaker and weaker.} [A> {Hurry! The night is almost over|We
        must be there before the sun comes up}!] At last, they came to $Way. $H $Trick.

        {Whoosh! The star flew up, up, up.|Slowly, the star began to rise.} Soon it was back {with all the
        other stars|next to the moon}. It {shone brighter than all the others|blinked three times}. "{Thank
        you, $H|I will always watch over you}," it called. [H:happy> {Goodbye, little star|Good night, my
        friend}!] {The $A.kind carried $H home.|$H and the $A.kind walked home together.} {And every night, $H
        looked up and waved.|From then on, $H was never afraid of the night.}
    """


def dragon_fire(s):
    s.cast(("wild",))
    s.become("H", "dragon")
    out = s.pick(["bubbles", "flowers", "snow", "warm water", "funny smoke rings", "butterflies", "soap",
                 "candy"])
    use = s.pick([
        ("a house in the village was on fire", "all came out at once, and the fire went out"),
        ("the children in the village were sad", "they all laughed and danced"),
        ("a mean giant came to the village", "the giant slipped, laughed so hard, and forgot to be mean"),
        ("it was the birthday of the king, and everything was gray", "the whole town was bright and merry"),
    ])
    s.subject = out
    s.put(Out=out, Use=use[0], Then=use[1],
          Home=s.pick(["a big cave", "a cave on a mountain", "an old castle"]),
          Hobby=s.pick(["fly over the hills", "sing", "count the clouds", "tell jokes"]))
    return s.alone(named=True) + """
        {$H could not do what other dragons do.|But $H had a problem.} When the other dragons opened their
        mouths, out came hot fire. But when $H tried it, out came $Out! {The other dragons laughed.|All the
        others made fun of $H.} [F:happy> {What kind of dragon are you?|Look! That is not fire!}] {$H flew
        away and hid.|$H was very sad.}

        [P:kind> {What is wrong, my dear|Why are you so sad}?] [H:sad> {I am not a real dragon|I want to make
        fire like all the others}.] [P:kind> {You are different, and that is good|You have a gift that nobody
        else has}. {One day you will see|Just wait and see}.] {$H tried to make fire day after day.|$H ate hot
        peppers and drank hot soup.} But it did not help. {There was always only more $Out.|Puff! More $Out.}

        $W$F came flying. [F:scared> {Come quickly|Help}! {Something is wrong in the village|We need
        everyone}!] It was true: $Use. {The other dragons could not help. Fire was no good here.|The other
        dragons tried, but fire only made it worse.} [H> {Maybe I can do something|Let me try}.] $H {took a
        deep breath|closed $H.their eyes} and blew. {Puff!|Whoosh!} $Out.cap, more and more, and $Then!

        Everyone cheered for $H. [F:sad> {I am sorry that we laughed at you|You did what we could not do}.]
        {"Hooray for $H!" the people called.|The people gave $H a big cake.} {$H was so proud.|$H smiled from
        ear to ear.} [H:happy> {I am a real dragon after all|I like being me}!] {From that day on, nobody
        laughed at $H again.|And $H learned that it is good to be different.|And on every birthday, $H was
        asked to come.}
    """


def different(s):
    s.cast(("wild",))
    mark, use = s.pick([
        ("very long ears", "heard the danger long before anyone else"),
        ("a coat with many spots", "could hide in the leaves where nobody could see"),
        ("very big feet", "could walk on the deep snow without sinking"),
        ("a very long tail", "let it down like a rope"),
        ("bright orange fur", "was easy to see from far away, even in the fog"),
        ("a very loud voice", "called so loud that everyone heard it"),
        ("a big nose", "could smell the way home"),
    ])
    danger = s.pick(["a big storm came, and $F was lost", "$F did not come home at night",
                    "a thick fog came, and $F could not be found", "$F fell into a deep hole in the snow"])
    s.subject = mark
    s.put(Mark=mark, Use=use, Danger=danger.replace("$F", s.slots["F"][""]))
    return s.alone(named=True) + """
        But $H did not look like the others. $H had $Mark. {The others did not want to play with $H.|Some of
        the others made jokes about it.} [F> {You look so funny!|Why do you look like that?}] {$H looked at
        $H.self in the water.|$H went away and sat by the pond.} [H:sad> {I wish I looked like everybody
        else.|Why am I so different?}]

        {$H tried to hide it.|$H tried to hide it with leaves and mud.} But it was no use. [P:kind> {I love
        you just the way you are|One day you will be glad about it|Nobody is like you, and that is
        wonderful}.] {$H did not believe it.|$H tried to smile.}

        $W$Danger. {Everyone was afraid.|Everyone looked, but it was no use.} {Nobody knew what to do.|All of
        them were crying.} [H> {I will go|Let me try|I think I can help}!] {$H did not wait.|$H was not
        afraid.} And because $H was different, $H.they $Use. {It took a long time, but then $H found $F!|And
        so, at last, $H came to $F!} [H:kind> {Here I am! You are safe now|Come with me, $F. I will bring you
        home}.]

        {When they came home, everyone cheered.|Everybody ran to meet them.} [F:sad> {I am sorry that I
        laughed at you|I was so wrong}. {You saved me|I think you are wonderful}.] [H:happy> {I am glad that I
        am me|Now I like the way I am}!] {From then on, everyone wanted to play with $H.|After that, $H was
        proud to be different.|And $H learned that what makes you different makes you special.}
    """


def big_turnip(s):
    s.cast()
    plant = s.pick(["turnip", "carrot", "pumpkin", "beet", "radish", "potato"])
    helpers = s.rng.sample(["a dog", "a cat", "a cow", "a goat", "a pig", "a rabbit", "a duck"], 3)
    small = s.pick(["mouse", "bug", "bird", "ant"])
    s.subject = plant + small
    s.put(Plant=plant, A1=helpers[0], A2=helpers[1], A3=helpers[2], D1="the " + helpers[0][2:], Small=small,
          Dish=s.pick(["soup", "stew", "cake", "salad"]))
    return s.alone(named=True) + """
        $H had planted a $Plant in the garden. {It grew and grew.|Every day it was bigger.} {Soon it was as
        big as a house!|Soon it was the biggest $Plant in the world!} $W$H wanted to pull it out. $H pulled
        and pulled, but the $Plant did not move.

        $H called $F. [H> {Please help me!|Can you help me pull?}] $F held $H, and $H held the $Plant. They
        pulled and pulled, but it did not move. Then came $A1. {$D1.cap|It} held $F, $F held $H, and $H held
        the $Plant. They pulled and pulled, but it still did not move.

        Then came $A2 and $A3. {Now there were five of them.|All five pulled together.} [F> One, two, three,
        pull!] But the $Plant did not move. {They were all so tired.|They all sat down.} Then came a tiny
        $Small. "{I can help|Let me help}," said the $Small. {Everybody laughed.|[F> But you are so small!]}
        [H:kind> {Let us try|Everyone can help}.] They all pulled, and the $Small pulled too. {And then,
        pop!|And then there was a loud pop!} Out came the $Plant, and they all fell down.

        {They laughed and laughed.|Everyone cheered.} [H:happy> {We did it! Thank you, little $Small|It was
        you, little $Small, who made the difference}!] $P.Name made a big pot of $Plant $Dish, and {there was
        enough for everyone|they all ate until they were full}. {The $Small got the first bite.|The little
        $Small ate the most of all.} {And they learned that nobody is too small to help.|Together they could
        do anything.}
    """


def band(s):
    s.cast(("wild",))
    s.animal()
    music = s.rng.sample(["a hollow log", "two flat stones", "a blade of grass", "an old pot",
                         "some dry nuts", "a broken bell", "a long reed"], 3)
    s.subject = music[0] + music[1]
    s.put(M1=music[0], M2=music[1], M3=music[2])
    return s.alone(named=True) + """
        $H loved music. But $H did not have {a drum or a flute|anything to play on}. $W$H found $M1 $L.at. $H
        tried to make a sound with it. {Bum, bum, bum!|Tap, tap, tap!} {It sounded good.|What a fine sound!}
        [H:happy> {I can make music|Now I have my own music}!]

        $F came to listen. [F> {What is that sound|Can I play too}?] [H> {Yes! Find something that makes a
        sound|Of course! But you need something to play on}.] $F looked around and found $M2. {Now there were
        two.|It sounded funny, but nice.} Then came $A.a, and $A.they had $M3. {They played and played.|Bum,
        tap, ding!} But it was so loud! {All the animals put their hands over their ears.|[P:angry> Stop! What
        a terrible noise!]}

        $H was sad. [H:sad> {Nobody likes our music|We only make noise}.] $A.Name was wise. [A:kind> {We all
        play at the same time, and nobody listens|We must listen to each other}.] So they tried it again.
        First $H played, very softly. Then $F came in, and then $A. {They listened to each other.|Now every
        sound had its place.} {And suddenly it was music!|It was like the rain and the wind and the birds
        together.}

        In the evening, {all the animals came|everyone came back} to hear them. {They danced under the
        moon.|The little ones danced and the old ones smiled.} [P:happy> {That was wonderful|Play it again}!]
        [H:proud> {We are a band|It sounds good because we listen}!] {From then on, there was music every
        night.|And they called themselves the band of $L2.|$H learned that music begins with listening.}
    """


def thirsty_bird(s):
    s.cast(("wild",))
    hero = s.pick(["crow", "bird", "mouse", "monkey", "duck"])
    s.become("H", hero)
    fill = s.pick(["small stones", "nuts", "shells", "round pebbles"])
    vessel = s.pick(["a tall jar", "an old bucket", "a deep cup", "a long bottle", "a hollow stump"])
    s.subject = vessel + fill
    s.put(Fill=fill, Jar=vessel, It=vessel.split()[-1], Home="a tree")
    return s.alone(named=True) + """
        It had not rained for a long time. {The river was dry.|All the ponds were dry.} $H was very, very
        thirsty. $W$H found $Jar. {There was a little water at the bottom.|Deep inside, there was some water.}
        [H:happy> {Water! At last|I am saved}!]

        But $H could not reach it. {The $It was too deep.|The water was too far down.} $H {pushed|tried to tip
        over} the $It, but it was too heavy. $F came by. [F> {You will never get it|Give up|It is no use}.]
        And $F went away. {$H did not give up.|But $H sat down to think.} [H> {There must be a way|Think, $H,
        think}!]

        Then $H saw some $Fill on the ground. {$H had an idea!|"Ah!" said $H.} $H took one and dropped it in.
        Plop! The water came up a tiny bit. $H dropped in another. Plop! And another. Plop! {It was slow
        work.|It took a long time.} {Plop, plop, plop.|But with each one, the water came higher.} {At
        last|Finally}, the water was at the top!

        $H drank and drank. {It was the best water in the world.|How good it was!} Then $H saw $F, {tired and
        thirsty|lying in the shade}. [H:kind> {Come, there is enough for two|Drink, $F}.] [F> {How did you do
        that?|You are so clever!|I should not have given up.}] [H:happy> {Little by little|One by one}!] {And
        that night, it began to rain.|$F learned that thinking is better than giving up.}
    """


def bridge_meeting(s):
    s.cast(("wild",))
    s.subject = s.slots["H"]["kind"] + s.slots["F"]["kind"]
    s.put(Bridge=s.pick(["narrow bridge", "thin log", "small wooden bridge", "row of stones"]))
    return s.alone() + """
        $W$H wanted to cross the {river|deep stream} to {find some $Food|visit $P|see the other side}. There
        was only one $Bridge. {In the middle|Half way}, $H met $F the $F.kind, who came from the other side.
        There was no room for two.

        [H> {Please go back. I was here first.|Let me pass!}] [F:angry> {No! You go back|Never! I was here
        first|I am bigger. You must go back}!] {They stood nose to nose.|Neither wanted to go back.} {They
        pushed and pushed.|$H pushed, and $F pushed back.} Splash! Both fell into the water. {Brr, it was
        cold!|They were wet from head to foot.}

        {They swam to the shore and sat there, shaking.|They climbed out and looked at each other.} {$F had a
        leaf on $F.their nose.|There was mud on $H's ears.} {$H began to giggle.|They looked so silly.} Then
        both laughed. [F> {We were very silly|Look at us}!] [H:kind> {I am sorry that I pushed you|Next time,
        I will let you go first}.] [F:kind> {No, no. You first|I am sorry too}.]

        They went back to the $Bridge. {[F> After you.] [H> No, after you!]|This time, $F waited, and $H went
        first.} {On the other side, $H turned around and waved.|$H crossed over and called, "Now you!"} {From
        then on, they met there every day and told each other stories.|They dried in the sun and shared some
        $Food.|They learned that being kind gets you farther than being first.}
    """


def web(s):
    s.cast(("wild",))
    s.become("H", "spider")
    s.put(Home=s.pick(["a corner of the barn", "an old apple tree", "the corner of a garden fence"]),
          Hobby=s.pick(["spin long threads", "swing in the wind", "watch the rain"]))
    breaks = s.rng.sample(["The wind blew it away", "A big bird flew through it", "The rain tore it",
                          "A cow walked into it", "A ball went right through it",
                          "A leaf fell on it and broke it"], 2)
    s.subject = breaks[0] + breaks[1]
    s.put(B1=breaks[0], B2=breaks[1])
    return s.alone(named=True) + """
        $W$H wanted to make the most beautiful web in the world. {Up and down, left and right, $H worked.|$H
        worked all night.} In the morning, it was done. It {shone|sparkled} in the sun. [H:proud> {Look at my
        web!|Is it not lovely?}] But then, oh no! $B1.

        [F> It is not worth it. {Webs always break|Come and play with me}.] {$H was sad for a while.|$H looked
        at the broken threads.} [H> {I will make it again, and better|I will try once more}.] And $H did. But
        then it happened again. $B2. {$H cried a little.|That was too much. $H hid in a corner.}

        {A tiny voice said, "Please do not stop. I watch you every day."|Then a little fly called, "Your web
        is the best of all!"} {It was a small bug who could not sleep.|$H looked up.} [H:sad> Why should I try
        again?] "{Because each one is more beautiful than the last|Each time, you get better}." {$H thought
        about it.|That was true!} So $H started once more, this time in a quiet place under the roof.

        When the sun came up, small drops of water hung on every thread. {It looked like a thousand stars.|It
        was like a net of silver.} {All the animals came to see.|Even $F was quiet.} [F:happy> {I have never
        seen anything so beautiful|I am glad that you did not stop}!] {$H was tired and very happy.|$H bowed
        with all eight legs.} {And when the web broke again, $H only laughed and began a new one.|$H learned
        that every new try makes you better.}
    """
