"""Between friends: sharing, quarrels and kindness."""

from .. import words


def share_toy(s):
    s.cast()
    s.subject = s.find(words.TOYS)
    return s.together() + """
        $W$H and $F {went $L.to|were playing $L.at|went $L.to to play}. {$Sky|} {They found $O.a $S1.|There
        they saw $O.a $S1.|$H had $O.a.} {It was very $O.adj.|They both liked it.|It looked like a lot of
        fun.}

        {[H> I want to play with it first.]|[H:angry> It is mine! I saw it first!]} {[F:angry> No, it is my
        turn!]|[F:angry> No! I want it too!]|[F:sad> But I want to play with it too.]} {They both pulled and
        pulled.|$H pulled on one side and $F pulled on the other.} {$O.The fell into the mud.|$O.The almost
        broke.|They were both very angry.} {$F began to cry.|$H sat down and did not want to play.|They did
        not talk to each other.}

        {$P.Name {came over|saw them|heard them}.|Then $P came.} [P:kind> {If you fight, nobody has fun|There
        is only one $O, but there are two of you|Fighting will not help}. {Why do you not take turns|Can you
        share it|Can you play together}?] {$H thought about it.|$H looked at $F.|They felt {bad|sorry}.} [H>
        {I am sorry, $F|You are right}. {You can go first|You can have the first turn|Let us share}.]
        [F:happy> {Thank you, $H|That is very nice|I am sorry too}!]

        {So they took turns.|They played with $O.the together.|First $F had a turn, and then $H had a turn.}
        {It was much more fun that way.|They laughed and laughed.|They had so much fun.} {$H and $F learned
        that sharing {is better than fighting|makes everyone happy}.|From then on, they always shared.|When it
        was time to go home, they were {best friends|good friends} again.}
    """


def new_friend(s):
    s.cast()
    s.subject = s.find(words.TOYS if s.world == "kid" else words.TREASURES)
    return s.alone(named=True) + """
        {But $H was lonely. $H.They had nobody to play with.|But $H did not have a friend.|} $W$H $Moved
        $L.to. {$Sky|} {There|$S1.cap}, {$H.they saw|$H saw} a $F.kind {sitting all alone|who looked sad|who
        was new there}.

        {$H was a little shy.|$H wanted to say something, but $H.they was shy.|$H walked over slowly.} [H:shy>
        {Hello. My name is $H. What is your name|Hi, I am $H. Who are you}?] [F:shy> {I am $F|My name is $F}.
        {I am new here and I do not know anyone|I do not have any friends here|Nobody wants to play with me}.]

        {$H thought of something.|$H had an idea.|$H smiled.} [H:kind> {I have $O.a|Look, this is my $O}. {Do
        you want to play with me?|Would you like to see it?|We can play with it together.}] {$F's eyes {lit
        up|became big|began to shine}.|$F smiled for the first time that day.} [F:happy> {Yes, please|I would
        love to|Oh yes}!] {They played {with $O.the|hide and seek|many games} all {day|afternoon}.|They ran
        and laughed and told each other stories.} {$F knew a lot of funny {jokes|songs}.|}

        {When the sun went down|When it was time to go home|At the end of the day}, [F> {Can we play again
        tomorrow|Will you come back tomorrow}?] [H:happy> {Yes! We are friends now|Of course|Yes, every day}!]
        {From that day on, $H and $F were best friends.|Now $H was not lonely anymore.|$H learned that one
        kind word can make a friend.}
    """


def present(s):
    s.cast()
    gift = s.pick(words.GIFTS)
    s.subject = gift
    s.put(Gift=gift, Work=s.pick(["all day", "all morning", "for two days", "until it was dark"]))
    return s.alone() + """
        {It was almost $F's birthday.|Tomorrow was $F's birthday.} $H wanted to give $F {a present|something
        special|the best present}. {[H:sad> But I have no money.]|[H:sad> I do not know what to give
        $F.them.]|[H> What can I give $F.them?]}

        $W$H asked $P for help. [P:kind> {The best presents come from the heart|You can make something|A
        present does not have to cost money}. {What can you make|What does $F like}?] {$H thought about it.|$H
        thought and thought.} {Then $H had an idea!|Then $H smiled.} [H:happy> I will make $Gift!]

        $H worked on it $Work. {It was not easy.|Two times it went wrong, and $H had to start again.|$H.They
        was very careful.} {At last|Finally} it was done. {$H was a little worried.|But then $H was worried.}
        [H:scared> What if $F does not like it?]

        {The next day|On the big day}, $H gave it to $F. $F {opened it|looked at it} and {was quiet|did not
        say a word}. Then $F {smiled|had tears of joy in $F.their eyes}. {[F:happy> $Gift.cap! You made this
        for me?]|[F:happy> This is the best present of all!]|[F:happy> I love it! Nobody ever gave me such a
        nice present.]} {They hugged for a long time.|$H was so happy that $H.they danced.|$H learned that a
        gift made with love is the best gift.}
    """


def race(s):
    s.cast(("wild",))
    s.subject = s.slots["F"]["kind"]
    stop, why = s.pick([
        ("took a nap under a tree", "fell fast asleep"),
        ("stopped to eat some berries", "ate too many"),
        ("stopped to look at {their} face in the water", "forgot about the race"),
        ("stopped to tell everyone how fast {they} was", "talked and talked"),
        ("took a short cut", "got lost"),
    ])
    s.put(Stop=stop.replace("{their}", s.slots["F"]["their"]).replace("{they}", s.slots["F"]["they"]),
          Why=why)
    return s.alone(named=True) + """
        $H was not very fast. A $F.kind named $F {always laughed at|made fun of} $H. [F:proud> {I am the
        fastest of all|Nobody is as fast as me}! {You are so slow|You are as slow as a snail}!] [H> {Then let
        us have a race|Let us race and see}.]

        $W{all the animals came to watch|everyone came $L.to to watch the race}. {$Sky|} [P> One, two, three,
        go!] $F ran off {like the wind|very fast}. $H went step by step. Soon $F was far ahead. [F> {This is
        too easy|I have a lot of time|I can rest a little}.] So $F $Stop and $Why.

        But $H {did not stop|went on and on|kept going}. {$H was tired, but $H.they did not give up.|Step by
        step, $H went over the hill and past the trees.} [H> {I can do it|Just one more step|I will not give
        up}!] {When $F looked up, $H was almost at the end!|At last, $H could see the end.} $F ran as fast as
        $F.they could, but it was too late.

        $H won the race! {All the animals cheered.|Everyone {clapped|cheered} and called $H.their name.} {$F
        was {very surprised|ashamed}.|$F came over slowly.} [F:sad> {I am sorry that I laughed at you|You won,
        $H. I should not have laughed}.] [H:kind> {That is okay|We can be friends}. {Next time we can run
        together|Let us share the prize}.] {$F learned not to brag.|Slow and steady had won the race.|And $F
        never laughed at anyone again.}
    """


def greedy(s):
    s.cast()
    food = s.pick(words.SWEETS)
    s.subject = food
    many = {"sandwich": "sandwiches", "strawberry": "strawberries", "candy": "candies", "cherry": "cherries",
            "peach": "peaches"}.get(food, food + "s")
    s.put(Sweet=food, Sweets=many,
          Number=s.pick(["ten", "twelve", "twenty", "so many"]))
    return s.alone(named=True) + """
        $H loved $Sweets more than anything. $W$P gave $H a basket with $Number $Sweets. [P> {These are for
        you and all your friends|Please share them with $F|Do not eat them all at once}.] [H> {Okay|I
        will|Yes, $P.call}.]

        {But the $Sweets smelled so good.|But on the way, $H looked into the basket.} [H> {Just one|I will eat
        only one}.] So $H ate one. {Then $H.they ate one more. And one more.|Then $H.they ate another, and
        another.} {$F came by.|Then came $F.} [F> {May I have a $Sweet, please|Can I have one}?] [H:angry> No!
        They are all mine!] {$F went away with a sad face.|$F was hurt and walked away.} Soon the basket was
        empty.

        Then $H's tummy began to hurt. {Ouch, ouch!|It hurt a lot.} [H:sad> {Oh, my tummy|I do not feel
        good}!] {$H lay down and {cried|moaned}.|$H could not run or play.} {And nobody was there to help,
        because $H had sent $F away.|All alone, $H thought of $F.} [H:sad> I was {not nice|greedy}. {I should
        have shared|I ate too many}.]

        $F {heard $H|came back|was still worried about $H} and brought {some water|warm tea|a blanket}.
        [F:kind> {Here, this will help.|Do you feel better now?|You are still my friend.}] [H> {I am sorry,
        $F|Thank you. I was wrong}. {Next time I will share with you|I will never be greedy again}.] {The next
        day, $H got two $Sweets and gave {one|the bigger one} to $F.|And $H kept that promise.|They both
        smiled, and $H's tummy felt better soon.}
    """


def cry_wolf(s):
    s.cast()
    danger = s.pick(["wolf", "bear", "monster", "snake", "fire", "tiger", "ghost"])
    s.subject = danger
    s.put(Danger=danger)
    return s.alone(named=True) + """
        {But $H liked to play tricks.|$H thought it was funny to trick others.} $W$H was {bored|alone} $L.at.
        [H> {I will play a trick|I know what would be funny}.] Then $H.they shouted, "Help! Help! {There is a
        $Danger|A $Danger}!"

        $P.Name and $F came running. {They were out of breath.|They were so scared.} [F> Where is the
        $Danger?] {$H laughed and laughed.|$H laughed so hard.} [H:happy> {There is no $Danger! I tricked
        you|It was only a joke}!] {$F was angry.|$P.Name shook $P.their head.} [P> {That is not funny|If you
        tell lies, nobody will believe you}.] But the next day, $H did it again. {And again they came, and
        again $H laughed.|And again there was no $Danger.}

        Then, one {evening|day}, a real $Danger came! {$H was so scared.|$H's heart beat fast.} [H:scared>
        {Help! Help! A $Danger|Please come! There is a real $Danger}!] {But nobody came.|They all heard it,
        but they did not come.} [F> {It is only a trick again|$H is playing a joke again}.] {$H had to run and
        hide $S1 all alone.|$H climbed up a tree and cried.} {After a long time, the $Danger was gone.|$H
        stayed there until the $Danger was gone.}

        {$P.Name found $H there.|At last, $P came to look for $H.} [H:sad> {Why did you not come?|It was real
        this time!}] [P:kind> {We did not know that it was true|When you lie, we can not know when you tell
        the truth}.] {$H felt very sorry.|$H understood.} [H:sad> I am sorry. I will not lie again.] {And from
        that day on, $H told the truth.|$H said sorry to $F, too, and never played that trick again.}
    """


def sick_friend(s):
    s.cast()
    gift = s.pick(["a bowl of warm soup", "a bunch of yellow flowers", "a funny picture", "a big red balloon",
                  "a book with many stories", "a basket of fruit", "a jar of sweet honey",
                  "a soft warm blanket"])
    s.subject = gift
    s.put(Gift=gift)
    return s.together(named=True) + """
        {But one day, $F did not come out to play.|One $Time, $F did not come out to play.} {$H knocked on the
        door.|$H waited and waited, and then went to $F's home.} $F was in bed. [F:sad> {I am sick. I can not
        play today|My head hurts and my nose is red|I have a bad cold}.] {Achoo!|} {$H felt sorry for $F.|$H
        was sad.}

        $H asked $P, "{What can I do to help|How can I make $F feel better}?" [P:kind> {When you are sick, it
        helps to have a friend|Something kind will help more than you think}.] {So $H got to work.|$H had an
        idea.} {$H looked in the kitchen and in the garden.|It took all morning.} Then $H put on $H.their hat
        and went back with $Gift.

        [H:kind> {This is for you|I brought you something}.] $F {sat up|looked at it and smiled}. [F:happy>
        {$Gift.cap! Thank you, $H|How nice of you|I feel a little better already}!] {$H sat next to the bed
        and told funny stories.|$H stayed all afternoon and sang songs.|They played quiet games together.} {$F
        laughed for the first time that day.|Soon $F fell asleep with a smile.}

        {The next day|A few days later|In the morning}, $F {felt much better|was well again|jumped out of
        bed}. [F:happy> {You made me well|Let us go out and play|You are the best friend in the world}!] {They
        went $L.to and played all day.|They ran outside into the sun.} {$H learned that kindness is the best
        medicine.|And when $H had a cold in the winter, guess who came with $Gift? It was $F!}
    """


def trade(s):
    s.cast()
    first = s.find(words.TREASURES)
    second = s.find(words.TOYS)
    s.slots["O2"], s.slots["O"] = s.slots["O"], None
    s.find([t for t in words.TREASURES if t[0] != first])
    s.animal()
    s.subject = first = s.slots["O"][""]
    s.put(Want=second)
    return s.alone() + """
        {More than anything, $H wanted $O2.a.|$H wished for $O2.a.} But all that $H had was $O.a. $W$H took
        $O.the and went $L.to. {$Sky|}

        {On the way|There}, $H met $A.a. {The $A.kind looked sad.|The $A.kind was crying.} [H:kind> {What is
        wrong|Why are you sad}?] [A:sad> {I lost my $O|Today is my birthday, and nobody gave me anything|I
        want to give my mother something nice, but I have nothing}.] {$H looked at $O.the.|$H held $O.the and
        thought.} It was the only thing that $H had. [H:kind> {Here, you can have my $O|Take this. It is for
        you}.] {The $A.kind was so happy.|The $A.kind jumped for joy.}

        $H walked on with empty hands. {$H was a little sad, but also a little happy.|But $H's heart felt
        light.} {Then $F came along.|Then $F came down the path.} [F> Why did you give away your $O?] [H> {The
        $A.kind needed it more than me|I wanted to make someone happy}.] $F {smiled|was quiet for a while}.
        [F:kind> {You are very kind|Wait here}. I have something for you.]

        $F {ran home and came back|opened a bag and took something out}. It was $O2.a! [F:kind> {I do not play
        with it anymore|It is for you, because you have a good heart}.] {$H could not believe it.|$H's eyes
        became big.} [H:happy> {Thank you, $F|This is what I always wanted}!] {They played with $O2.the
        together, and the $A.kind came too.|$H learned that when you give, you get something back.|And so, all
        three were happy.}
    """


def bully(s):
    s.cast()
    s.subject = s.find(words.TOYS)
    trouble, deed = s.pick([
        ("was in a muddy ditch and could not get out", "found a long branch and pulled hard"),
        ("was stuck in a tree and too afraid to come down",
         "climbed up and showed the way down, branch by branch"),
        ("was lost and sat on a stone, crying", "took {his} hand and led the way home"),
        ("had a bad cut on one knee", "ran to get a bandage and some water"),
        ("was chased by an angry goose", "waved both arms and chased the goose away"),
    ])
    s.put(Trouble=trouble, Deed=deed.replace("{his}", s.slots["F"]["their"]))
    return s.alone(named=True) + """
        Everyone {liked|loved} to play with $H, but one $F.kind named $F was mean. $W$H was playing with $O.a
        $L.at. $F came and {took|grabbed} $O.the. [F:angry> {This is mine now|Give me that|Ha! Now I have
        it}!] [H:sad> {Please give it back|That is not nice|That is my $O}.] But $F only laughed and ran away.

        $H went to $P and told $P.them what had happened. [P:kind> {Some are mean because they are sad
        inside|Maybe $F has no friends|Be kind, even when it is hard}.] {$H thought about that all night.|$H
        did not understand, but $H.they thought about it.} {The next day|A few days later}, $H heard someone
        call for help. It was $F! $F $Trouble.

        {$H could have walked away.|For a moment, $H wanted to walk away.} But $H {did not|ran to help}.
        [H:kind> {Do not be afraid. I will help you|Wait! I am coming}.] $H.They $Deed. {Soon $F was
        safe.|Then it was all over.} [F:shy> {Why did you help me|I was so mean to you. Why did you help}?]
        [H:kind> {Because you needed help|Nobody should be alone when they are scared}.]

        $F {looked at the ground|turned red}. Then $F gave back $O.the. [F:sad> {I am sorry that I took your
        $O|I am sorry that I was mean}. {I only wanted to play with someone|I have no friends}.] [H:happy>
        {You can play with me|Then let us be friends}!] {And they played with $O.the together until dark.|From
        that day on, $F was not mean anymore.|$H learned that kindness can turn a bully into a friend.}
    """


def hide_and_seek(s):
    s.cast()
    s.subject = s.slots["L"][""] + s.slots["S1"][""]
    return s.together() + """
        $W$H and $F played hide and seek $L.at. {$Sky|} [F> I will count. You hide!] $F closed $F.their eyes.
        [F> One, two, three, four, five!] {$H looked for a good place.|$H ran fast.} $H.They hid $S1. {It was
        a very good place.|Nobody could see $H.them there.}

        [F:happy> Ready or not, here I come!] $F looked $S2. No $H. $F looked $S3. No $H. {$H tried not to
        laugh.|$H sat as quiet as a mouse.} {Time went by.|It was warm and quiet.} {$H's eyes became heavy.
        Soon $H was fast asleep.|And then $H fell asleep.}

        $F looked and looked. [F:scared> {$H! Where are you|You can come out now, $H}!] {But nobody
        answered.|It was so quiet.} {$F was not having fun anymore.|It was getting dark, and $F was worried.}
        $F ran to get $P. [F:sad> {I can not find $H|$H is lost}!] They took a light and called, "$H! $H!"
        {Then $F heard a funny sound.|Then they heard something.} {It was someone snoring $S1!|Somebody was
        snoring $S1!}

        [F:happy> {There you are|I found you|We were so worried}!] $H woke up and {rubbed $H.their
        eyes|yawned}. [H> {Did I win|Is the game over}?] {They all began to laugh.|$P.Name laughed until
        $P.they cried.} [F> {You win! You are the best at hiding!|Yes, you win. But next time, please stay
        awake.}] {And they all went home for dinner.|From then on, they had a rule: no sleeping in hide and
        seek!}
    """


def quarrel(s):
    s.cast()
    thing = s.pick([
        ("what a cloud looked like", "a horse", "a boat"),
        ("which color was the best", "red", "blue"),
        ("who could jump higher", "me", "not you"),
        ("which animal was the smartest", "the owl", "the fox"),
        ("what to name the snail", "Speedy", "Slimy"),
        ("which way was the best", "left", "right"),
        ("who was taller", "me", "not you"),
    ])
    s.subject = thing[0]
    s.put(About=thing[0], One=thing[1], Two=thing[2], Make=s.pick(["a flower", "a cookie", "a drawing",
          "a shiny stone", "a little song"]))
    return s.together() + """
        $W$H and $F {were sitting|were playing} $L.at. {$Sky|} {They began to fight about $About.|Then they
        could not agree about $About.} [H> {It is|I say it is} $One!] [F:angry> No, $Two!] [H:angry> $One.cap!
        I am right and you are wrong!]

        {They both got very angry.|Soon they were both shouting.} [F:angry> {I do not want to play with you
        anymore|You are not my friend anymore}!] $F walked away. $H walked the other way. {At home, $H tried
        to play alone.|$H sat alone and looked at the wall.} {But it was no fun.|But every game needs two.}
        [P:kind> {Where is $F today|Why are you alone}?] [H:sad> {We had a fight about $About|We had a fight,
        and now I feel bad}.]

        $P.Name {smiled|sat down next to $H}. [P:kind> {What is more important, to be right or to have a
        friend|Is it worth losing a friend}?] {$H thought about it for a long time.|$H did not have to think
        long.} Then $H {took|made} $Make for $F and {went out|opened the door}. And who was standing there? It
        was $F, with $Make too!

        {They looked at each other and laughed.|Both began to talk at the same time.} [H> {I am sorry|I was
        silly}.] [F> {I am sorry too|So was I}. {It does not matter at all|We can both be right}.] {They went
        back and played until dark.|They hugged, and then they ran outside.} {After that, when they could not
        agree, they laughed and took turns.|They learned that a friend is worth more than being right.}
    """
