"""The plots: each fills a story's slots and returns its paragraphs as templates.

Every plot runs from a beginning over a trouble and its turning to an ending, and
later sentences use what earlier ones set up (the thing lost is the thing found).
"""

from . import words

PLOTS = []


def plot(function):
    PLOTS.append(function)
    return function


@plot
def lost_thing(s):
    s.cast()
    s.subject = s.find(words.TOYS if s.world == "kid" else words.TREASURES)
    return [
        s.alone() + "{$H had $O.a. $H.They {took it everywhere|loved it very much|played with it every day}.|"
        "$H.Their favorite thing was $O.a.} $W$H took $O.the $L.to. {$Sky|}",
        "{When it was time to go home|After a while|Later}, $H looked around. $O.The was gone! {$H was very sad.|$H began to cry.|"
        "$H felt like crying.} [H:sad> {Oh no! Where is my $O?|Oh no! I lost my $O!|I can not find my $O!}] "
        "$F {saw $H and came over|heard $H|came to help}. [F:kind> {Do not worry|Do not be sad|Do not cry}. {I will help you look|We will find it together|"
        "Let us look for it}.]",
        "{First, they|They} looked $S1. It was not there. {Then|Next}, they looked $S2. {There was only {an old shoe|a little bug|a brown leaf}.|It was not there.} "
        "{At last|Finally|Then}, $F looked $S3. [F:happy> {Look|Come here}{, $H|}! {I found it|Here is your $O|I see something $O.adj}!] "
        "{It was $O.the!|There was $O.the!}",
        "$H {hugged $F|gave $F a big hug|jumped up and down}. [H:happy> {Thank you, $F! You are a {good|true|great} friend.|Thank you so much!|You are the best!}] "
        "{From that day on, $H always took good care of $O.the.|After that, $H never left $O.the behind again.|They played with $O.the until {the sun went down|it was time for dinner}.}",
    ]


@plot
def share_toy(s):
    s.cast()
    s.subject = s.find(words.TOYS)
    return [
        s.together() + "$W$H and $F {went $L.to|were playing $L.at|went $L.to to play}. {$Sky|} {They found $O.a $S1.|There they saw $O.a $S1.|$H had $O.a.} "
        "{It was very $O.adj.|They both liked it.|It looked like a lot of fun.}",
        "{[H> I want to play with it first.]|[H:angry> It is mine! I saw it first!]} {[F:angry> No, it is my turn!]|[F:angry> No! I want it too!]|[F:sad> But I want to play with it too.]} "
        "{They both pulled and pulled.|$H pulled on one side and $F pulled on the other.} {$O.The fell into the mud.|$O.The almost broke.|They were both very angry.} "
        "{$F began to cry.|$H sat down and did not want to play.|They did not talk to each other.}",
        "{$P.Name {came over|saw them|heard them}.|Then $P came.} [P:kind> {If you fight, nobody has fun|There is only one $O, but there are two of you|Fighting will not help}. {Why do you not take turns|Can you share it|Can you play together}?] "
        "{$H thought about it.|$H looked at $F.|They felt {bad|sorry}.} [H> {I am sorry, $F|You are right}. {You can go first|You can have the first turn|Let us share}.] "
        "[F:happy> {Thank you, $H|That is very nice|I am sorry too}!]",
        "{So they took turns.|They played with $O.the together.|First $F had a turn, and then $H had a turn.} {It was much more fun that way.|They laughed and laughed.|They had so much fun.} "
        "{$H and $F learned that sharing {is better than fighting|makes everyone happy}.|From then on, they always shared.|When it was time to go home, they were {best friends|good friends} again.}",
    ]


@plot
def rescue(s):
    s.cast(("kid",))
    animal, how, tool, deed = s.pick(words.TRAPPED)
    s.subject = animal
    s.put(A=animal, How=how, Tool=tool, Deed=deed)
    return [
        s.alone() + "$W$H {was walking|went for a walk|was playing} $L.at {with $H.their $P.kind|}. {$Sky|} {Then $H.they heard a {soft|small|sad} {sound|cry}.|Suddenly, $H.they heard something.}",
        "{$H looked around.|$H ran to see what it was.|$H followed the sound.} {There was a $A|It was a $A}, $How. {The poor $A was {scared|very scared|afraid}.|It looked so sad.} "
        "[H:sad> {Oh no! You poor little $A|Do not be afraid, little $A|Poor thing}. {I will help you|I want to help you}.] But {$H did not know how.|it was too hard to do alone.|$H.they could not do it alone.}",
        "{$H ran to get help.|$H called for help.} [H> $P.call, {please come quickly|please help|come and look}! {There is a $A in trouble|A $A needs us}!] "
        "$P.Name {brought|came with|found} $Tool. {Very slowly|Very carefully|Together}, they $Deed.",
        "{The $A was safe!|Now the $A was safe.} {It looked at $H as if to say thank you.|It {rubbed|leaned} against $H.|It made a happy sound.} "
        "[P:kind> {You have a kind heart, $H|I am proud of you|You did the right thing}.] "
        "{$H smiled. $H.They {felt warm inside|was very happy|was proud too}.|Every day after that, $H came back to see the $A.|$H {waved|said goodbye} and went home with a happy heart.}",
    ]


@plot
def fear(s):
    s.cast(("kid",))
    what, looks, advice = s.pick(words.FEARS)
    s.subject = what
    s.put(Fear=what, Looks=looks, Advice=advice, Shape=s.pick(["shaking", "hiding behind a chair", "holding on tight", "very quiet"]))
    return [
        s.alone(named=True) + "$H.They was {brave|not afraid of much}, but there was one thing: $H.they was {afraid of|scared of} $Fear. "
        "{$Looks that $H.they {wanted to run away|could not move|closed $H.their eyes}.|When $H.they {thought of it|thought about it}, $H.their {heart beat fast|knees shook|tummy hurt}.}",
        "$W$P {found|saw} $H $Shape. [P:kind> What is wrong, $H?] [H:scared> {I am scared of $Fear|I am afraid|I do not like $Fear}.] "
        "{$P.Name sat down next to $H.|$P.Name gave $H a hug.|$P.Name took $H.their hand.} [P:kind> {Everyone is afraid of something|When I was little, I was scared too|It is okay to be scared}. {Let us try something|I know what helps}. {First, $Advice|You can $Advice}.]",
        "{$H took a deep breath.|$H thought for a moment.|$H held $P.their hand.} [H:shy> {Okay, I will try.|I can try.|Will you stay with me?}] "
        "{So they tried it together.|Step by step, $H tried.} {At first, $H was still scared.|At first it was hard.|$H.Their hands were shaking.} {But then|But after a little while}, {it was not so bad|$H began to smile|$H forgot to be afraid}.",
        "[H:happy> {Look, $P.call! I did it|I am not scared anymore|It is not so bad}!] [P:kind> {I knew you could do it|You are very brave|I am so proud of you}.] "
        "{From that day on, $H was not afraid of $Fear anymore.|$H learned that being brave means to try even when you are scared.|The next time, $H told $F, \"You do not have to be afraid. I can help you.\"}",
    ]


@plot
def broken(s):
    s.cast(("kid",))
    s.subject = s.pick(words.BREAKABLES)
    s.put(O=s.subject, Adj=s.pick(["blue", "old", "pretty", "white", "big"]), Cause=s.pick(
        ["was playing with a ball", "was running", "was dancing", "was chasing the cat", "was jumping on the bed", "was throwing a ball", "was being silly"]))
    return [
        s.alone(named=True) + "{$P.Name had|At home, there was} a $Adj $O {that everyone loved|on the table|by the window}. [P> {Please be careful|Be careful near the $O|Please do not run in the house}, $H.]",
        "$W$H $Cause in the house. {Crash! The $O fell {down|on the floor} and broke.|$H.They bumped into the table. The $O fell down and broke into many pieces.} "
        "{$H was so scared.|$H felt terrible.|$H did not know what to do.} {$H.They hid the pieces {under the bed|behind the door|in a box}.|$H.They wanted to hide.}",
        "{Soon, $P came {in|home}.|Then $P came into the room.} [P> {What happened to the $O|Where is the $O|Did you hear that noise}?] "
        "{$H could say that the cat did it. But that was not true.|$H looked at the floor.|$H's face turned red.} {$H wanted to tell the truth.|$H took a deep breath.} "
        "[H:sad> {I broke it|It was me|I broke the $O}. {I am so sorry|I am very sorry|I did not mean to do it}.]",
        "$P.Name {was quiet for a moment|was a little sad, but not angry|gave $H a hug}. [P:kind> {Thank you for telling the truth|It was brave to tell me|I am glad that you told me}. {We can fix it together|A $O can be fixed, but a lie is hard to fix}.] "
        "{They got some glue and put the pieces back together.|Together they {picked up all the pieces|put the pieces together with glue}.} "
        "{The $O was not perfect, but $H felt much better.|$H learned {to always tell the truth|that it is good to tell the truth}.|After that, $H never played ball in the house again.}",
    ]


@plot
def cooking(s):
    s.cast(("kid",))
    dish, have, need = s.pick(words.DISHES)
    s.subject = dish
    s.helper()
    s.put(Dish=dish, Have=have, Need=need, It=dish.split()[-1])
    return [
        s.alone() + "$W$H {wanted to make|wanted to surprise $F with|helped $P make} $Dish. {It was $F's birthday.|Friends were coming to visit.|$F was coming for dinner.} "
        "[H:happy> {Let us start|This will be so {good|yummy}|I will help}!]",
        "{First|To begin}, they {washed their hands|got a big bowl}. {Then they looked in the kitchen.|Then they opened the cupboard.} They {had|had plenty of|had enough} $Have, but they had no $Need. "
        "[H:sad> {Oh no! We can not make $Dish without $Need!|What will we do now?|But we need $Need!}] [P:kind> {Do not worry|I have an idea}. {Maybe someone can help us|Go and ask next door}.]",
        "{So $H went|$H ran|$H walked} next door. {There lived $X.|$X.Name lived there.} [H> {Hello! May I have some $Need|Do you have some $Need, please}?] "
        "[Y:kind> {Of course|Yes, I do|Sure}! {Here you are.|Take as much as you like.|What are you making?}] [H:happy> Thank you! {You can come and eat with us|Please come and have some, too}.]",
        "{$H ran home|$H hurried back} and they mixed {everything|it all} together. {Soon the house smelled wonderful.|They waited and waited. Ding! It was ready.|The kitchen was a mess, but nobody cared.} "
        "{Everyone sat down at the table.|$F came, and $Y came too.} [F:happy> {This is the best $It ever|Yum! It is so good|It tastes wonderful}!] {$H was very proud.|$H smiled from ear to ear.|They ate it all up, and there was not one crumb left.}",
    ]


@plot
def new_friend(s):
    s.cast()
    s.subject = s.find(words.TOYS if s.world == "kid" else words.TREASURES)
    return [
        s.alone(named=True) + "{But $H was lonely. $H.They had nobody to play with.|But $H did not have a friend.|} $W$H $Moved $L.to. {$Sky|} "
        "{There|$S1.cap}, {$H.they saw|$H saw} a $F.kind {sitting all alone|who looked sad|who was new there}.",
        "{$H was a little shy.|$H wanted to say something, but $H.they was shy.|$H walked over slowly.} [H:shy> {Hello. My name is $H. What is your name|Hi, I am $H. Who are you}?] "
        "[F:shy> {I am $F|My name is $F}. {I am new here and I do not know anyone|I do not have any friends here|Nobody wants to play with me}.] ",
        "{$H thought of something.|$H had an idea.|$H smiled.} [H:kind> {I have $O.a|Look, this is my $O}. {Do you want to play with me?|Would you like to see it?|We can play with it together.}] "
        "{$F's eyes {lit up|became big|began to shine}.|$F smiled for the first time that day.} [F:happy> {Yes, please|I would love to|Oh yes}!] "
        "{They played {with $O.the|hide and seek|many games} all {day|afternoon}.|They ran and laughed and told each other stories.} {$F knew a lot of funny {jokes|songs}.|}",
        "{When the sun went down|When it was time to go home|At the end of the day}, [F> {Can we play again tomorrow|Will you come back tomorrow}?] [H:happy> {Yes! We are friends now|Of course|Yes, every day}!] "
        "{From that day on, $H and $F were best friends.|Now $H was not lonely anymore.|$H learned that one kind word can make a friend.}",
    ]


@plot
def warning(s):
    s.cast(("kid",))
    rule, deed, result, lesson = s.pick(words.WARNINGS)
    s.subject = rule
    s.put(Rule=rule, Deed=deed, Result=result, Lesson=lesson)
    return [
        s.alone(named=True) + "{$P.Name always told $H, \"Do not $Rule.\"|[P> {Please do not|Never|You must not} $Rule, $H. {It is not safe|It is dangerous}.]} "
        "{But $H {did not always listen|was too curious|thought it would be fun}.|[H> {Okay, $P.call|I know, I know}.]}",
        "$W{$P was busy|nobody was looking|$H was playing with $F}. [H> {I just want to see what happens|I am big now|It will be fine|Nothing will happen}.] "
        "{$F said, \"{Do not do it|We should not do that}!\"|} So $H $Deed. {At first it was fun.|} {Then|Suddenly}, $H $Result. [H:scared> {Help|Ouch|Oh no}! {$P.call, help me|Please help me}!]",
        "{$P.Name {heard $H and came running|came as fast as $P.they could}.|$F ran to get help, and soon $P came.} $P.Name {helped $H|took care of $H|made everything better}. "
        "[P:kind> {Are you okay|What happened}?] [H:sad> {I am sorry|I did not listen}. {I should have listened to you|You told me not to $Rule}.]",
        "{$P.Name hugged $H.|$P.Name was not angry.} [P:kind> {I am glad that you are safe|I tell you these things because I love you|Now you know why}.] "
        "{$H learned to $Lesson.|From that day on, $H always remembered to $Lesson.|$H promised to $Lesson, and $H.they kept that promise.}",
    ]


@plot
def small_hero(s):
    s.cast(("wild",))
    big = s.pick(["lion", "bear", "elephant", "dragon", "horse"])
    small = s.pick(["mouse", "bee", "bird", "frog", "squirrel"])
    s.subject = big + small
    s.become("H", small, "little")
    s.become("F", big, "big")
    trap = s.pick([("a strong net", "chewed the ropes, one by one, until the net fell apart"), ("a deep pit", "brought long vines from the trees and showed $F how to climb out"),
                   ("a bush full of thorns", "pulled out the thorns, one by one"), ("the thick mud", "called all the other animals, and they pulled together")])
    s.put(Trap=trap[0], Free=trap[1].replace("$F", s.slots["F"][""]), Home=s.pick(["a tiny hole", "a small nest", "a hollow tree", "the tall grass"]), Hobby=s.pick(["sing", "dance", "explore", "help"]))
    return [
        s.alone(named=True) + "Nearby lived a big $F.kind named $F. {Everyone was afraid of $F.|$F was the biggest animal of all.} "
        "$W$H {met|ran into} $F. [H> {Can I be your friend|Do you want to play with me}?] {$F laughed.|$F laughed very loudly.} [F> You? You are too {small|little}! {What can a little $H.kind do?|You can not help anyone!}]",
        "$H was sad and went away. {A few days later|The next day|Not long after that}, there was a loud cry. [F:scared> Help! Help!] $F was caught in $Trap. {$F pulled and pulled, but $F.they could not get out.|The more $F.they moved, the worse it got.}",
        "{All the other animals ran away.|Nobody came, because all were afraid.} But little $H {was not afraid|came quickly|did not run away}. [H:kind> {Do not move|Stay still}. {I will help you|I can get you out}.] "
        "[F:sad> {But you are so small|How can you help me}?] $H {worked|tried} all {day|night}. $H.They $Free. {At last|Finally}, $F was free!",
        "[F:kind> {Thank you, $H|You saved my life}. {I am sorry that I laughed at you|I was wrong|You are small, but you have a big heart}.] [H:happy> {That is okay|I was happy to help}. Can we be friends now?] [F:happy> {Yes|Of course}! Best friends!] "
        "{From then on, the big $F.kind and the little $H.kind were always together.|And nobody ever said again that $H was too small.|$F learned that even a small friend can be a great friend.}",
    ]


@plot
def wish(s):
    s.cast()
    s.subject = s.find(words.TREASURES)
    gift, trouble, undo = s.pick([
        ("that it would rain candy", "Candy fell from the sky and hit everyone on the head", "all the candy turned into soft rain"),
        ("to be as tall as a tree", "Now no house was big enough, and everyone ran away", "everything was the right size again"),
        ("to fly", "The wind blew harder and harder, and the ground was far away", "two feet were back on the ground"),
        ("that night would never come", "Everyone got so tired, but nobody could sleep", "the moon and the stars came out"),
        ("that everything would turn to gold", "Even the bread was gold, and nobody could eat it", "the bread was soft and warm again"),
        ("to have a hundred toys", "There were so many toys that there was no room to play", "only one old toy was left, and it was the best one"),
        ("that it would always be winter", "All the flowers went to sleep and the birds flew away", "the sun came back and the snow was gone"),
        ("to be invisible", "Nobody could see or hear or hug anyone who was not there", "everyone could see again")])
    s.put(Gift=gift, Trouble=trouble, Undo=undo)
    return [
        s.alone() + "$W$H was {playing|walking} $L.at. {$S1.cap|There}, $H.they found $O.a. {It began to {glow|shine}.|It was warm, and it glowed.} A {tiny|soft} voice said, \"{I am magic. You may make one wish|You found me! I will give you one wish|Make a wish, $H}.\"",
        "{$H could not believe it!|$H thought and thought.|$H was so excited.} [H:happy> {I wish|I know! I wish} $Gift!] {Poof!|There was a flash of light.} {The wish came true.|And so it was.} {At first, it was {fun|wonderful}.|$H laughed and danced.}",
        "{But soon there was trouble.|But then something was wrong.|But it did not stay fun.} $Trouble. {Even $F was sad.|$F came and said, \"{I do not like this|Please make it stop}.\"} {$H felt {bad|sorry}.|$H began to cry.} [H:sad> {This is not what I wanted|I made a bad wish}. {I want things to be the way they were|Please take it back}!]",
        "{$O.The glowed once more|$H held $O.the and closed $H.their eyes}. {Poof!|Then it was quiet.} When $H looked again, $Undo. {$H was so happy.|$H hugged $F.} [H:happy> {I have all I need|Now I know that I do not need magic to be happy}.] {$H put $O.the back $S1 and went home.|And $O.the? It was only an old $O again.|$H learned to be careful with wishes.}",
    ]


@plot
def build(s):
    s.cast(("kid",))
    what, stuff, fail, fix = s.pick(words.BUILDS)
    s.subject = what
    s.put(What=what, Stuff=stuff, Fail=fail, Fix=fix, It=what.split(" ", 1)[1])
    return [
        s.together() + "$W$H and $F {wanted to build|decided to make|had an idea. They wanted to build} $What. {[H:happy> It will be the best $It ever!]|[F:happy> Let us make it really big!]|$Sky} They {got|found|used} {a lot of|some} $Stuff.",
        "{They worked very hard.|They worked and worked.|They worked all morning.} {It looked great.|Soon it was almost done.} But then, oh no! $Fail. {[F:sad> All our work is gone!]|[H:angry> I do not want to do this anymore!]|$F was so sad that $F.they sat down and cried.}",
        "{But $H did not give up.|$H thought for a while.|$P.Name came to look.} {[H:kind> Let us try again. We can make it better.]|[P:kind> Do not give up. Think about what went wrong.]} {They talked about it.|They looked at it again.} {This time|So this time}, they $Fix. {They were very careful.|They helped each other.|They did not hurry.}",
        "{At last|Finally|After a long time}, it was done. {The $It was strong and beautiful.|It was even better than before.} [F:happy> {We did it|Look at it|It works}!] [P:proud> {What a wonderful $It|You two are great builders|Good work}!] "
        "{$H and $F were very proud.|They learned that it is good to try again.|They played there until it was dark.}",
    ]


@plot
def rainy_day(s):
    s.cast()
    game, detail = s.pick([("a picnic on the floor", "They put a blanket down and ate sandwiches"), ("a show with puppets", "They made the puppets out of old socks"),
                           ("our own pirate ship", "The bed was the ship and a pillow was the sail"), ("a big parade", "They made hats out of paper and marched around"),
                           ("a restaurant", "They wrote the menu with crayons and cooked a pretend meal"), ("a circus", "They walked on a line and jumped through a hoop"),
                           ("a race with paper boats", "They folded the boats and let them swim in a long puddle")])
    s.subject = game
    s.put(Game=game, Detail=detail, Rain=s.pick(["rain", "storm", "wind"]))
    return [
        s.together() + "$H and $F {wanted to|planned to} go $L.to. {They had been waiting for it all week.|They were very excited.|They packed {some food|a basket} and {put on their shoes|got ready}.}",
        "But when they {looked outside|opened the door}, big drops of rain {fell from the sky|began to fall}. {Splash, splash, splash!|Boom, went the thunder.|The sky was dark and gray.} [F:sad> {Oh no! Now we can not go|Our day is ruined|I do not like rain}.] {They sat by the window and watched the rain.|They waited, but the rain did not stop.|They were both very sad.}",
        "{Then $H had an idea.|Suddenly, $H jumped up.} [H:happy> {We do not need the sun to have fun|I know what we can do}! Let us have $Game!] $Detail. {They laughed so much that their tummies hurt.|$P.Name came to see, and $P.they laughed too.|It was so much fun that they forgot about the rain.}",
        "{When the rain stopped|After a while|In the evening}, {the sun came out|they looked out again}. {There was a {big|beautiful} rainbow in the sky.|A rainbow was in the sky, with red and yellow and blue.} [F:happy> {Look! A rainbow|How pretty}!] {[H> This was the best rainy day ever.]|[F> I am glad that it rained.]} {They jumped in all the puddles.|They learned that you can have fun on any day.|They held hands and looked at it for a long time.}",
    ]


@plot
def present(s):
    s.cast()
    gift = s.pick(words.GIFTS)
    s.subject = gift
    s.put(Gift=gift, Work=s.pick(["all day", "all morning", "for two days", "until it was dark"]))
    return [
        s.alone() + "{It was almost $F's birthday.|Tomorrow was $F's birthday.} $H wanted to give $F {a present|something special|the best present}. {[H:sad> But I have no money.]|[H:sad> I do not know what to give $F.them.]|[H> What can I give $F.them?]} ",
        "$W$H asked $P for help. [P:kind> {The best presents come from the heart|You can make something|A present does not have to cost money}. {What can you make|What does $F like}?] {$H thought about it.|$H thought and thought.} {Then $H had an idea!|Then $H smiled.} [H:happy> I will make $Gift!]",
        "$H worked on it $Work. {It was not easy.|Two times it went wrong, and $H had to start again.|$H.They was very careful.} {At last|Finally} it was done. {$H was a little worried.|But then $H was worried.} [H:scared> What if $F does not like it?]",
        "{The next day|On the big day}, $H gave it to $F. $F {opened it|looked at it} and {was quiet|did not say a word}. Then $F {smiled|had tears of joy in $F.their eyes}. {[F:happy> $Gift.cap! You made this for me?]|[F:happy> This is the best present of all!]|[F:happy> I love it! Nobody ever gave me such a nice present.]} "
        "{They hugged for a long time.|$H was so happy that $H.they danced.|$H learned that a gift made with love is the best gift.}",
    ]


@plot
def race(s):
    s.cast(("wild",))
    s.subject = s.slots["F"]["kind"]
    stop, why = s.pick([("took a nap under a tree", "fell fast asleep"), ("stopped to eat some berries", "ate too many"), ("stopped to look at {their} face in the water", "forgot about the race"),
                        ("stopped to tell everyone how fast {they} was", "talked and talked"), ("took a short cut", "got lost")])
    s.put(Stop=stop.replace("{their}", s.slots["F"]["their"]).replace("{they}", s.slots["F"]["they"]), Why=why)
    return [
        s.alone(named=True) + "$H was not very fast. A $F.kind named $F {always laughed at|made fun of} $H. [F:proud> {I am the fastest of all|Nobody is as fast as me}! {You are so slow|You are as slow as a snail}!] [H> {Then let us have a race|Let us race and see}.]",
        "$W{all the animals came to watch|everyone came $L.to to watch the race}. {$Sky|} [P> One, two, three, go!] $F ran off {like the wind|very fast}. $H went step by step. Soon $F was far ahead. [F> {This is too easy|I have a lot of time|I can rest a little}.] So $F $Stop and $Why.",
        "But $H {did not stop|went on and on|kept going}. {$H was tired, but $H.they did not give up.|Step by step, $H went over the hill and past the trees.} [H> {I can do it|Just one more step|I will not give up}!] {When $F looked up, $H was almost at the end!|At last, $H could see the end.} $F ran as fast as $F.they could, but it was too late.",
        "$H won the race! {All the animals cheered.|Everyone {clapped|cheered} and called $H.their name.} {$F was {very surprised|ashamed}.|$F came over slowly.} [F:sad> {I am sorry that I laughed at you|You won, $H. I should not have laughed}.] [H:kind> {That is okay|We can be friends}. {Next time we can run together|Let us share the prize}.] {$F learned not to brag.|Slow and steady had won the race.|And $F never laughed at anyone again.}",
    ]


@plot
def skill(s):
    s.cast()
    name, fails, does = s.pick(words.SKILLS if s.world == "kid" else words.WILD_SKILLS)
    s.subject = name
    s.put(Skill=name, Fails=fails, Does=does)
    return [
        s.alone(named=True) + "{$H wanted to learn to $Skill.|More than anything, $H wanted to $Skill.|$F could $Skill, and $H wanted to learn it too.} $W$H {went $L.to to try|asked $P for help|tried for the first time}.",
        "{The first time|At first}, $H $Fails. {$H tried again, but it did not work.|$H tried again and again. Each time it went wrong.} {Some others laughed.|} [H:sad> {I can not do it|It is too hard|I will never learn to $Skill}!] $H {wanted to give up|sat down and cried|was very sad}.",
        "$P.Name {sat down next to $H|saw it and smiled|came over}. [P:kind> {Nobody can do it the first time|It took me a long time too|You only need to practice}. {Try a little every day|Do not give up|I will show you how}.] {So $H practiced every day.|So every {morning|evening}, $H tried again.|$H wiped $H.their eyes and tried again.} {Day by day, it got a little better.|Slowly, it became easier.}",
        "{Then, one day|And then|At last}, $H $Does! [H:happy> {I did it! I did it|Look at me|I can do it}!] $P.Name {clapped|cheered} and $F {cheered too|was amazed}. [F:happy> {You did it|That was great|Wow}! Do it again!] " +
        "{$H was very proud.|$H learned that practice makes you better.|And from then on, when something was hard, $H did not give up.}",
    ]


@plot
def treasure(s):
    s.cast(("kid",))
    s.subject = s.find(words.TREASURES)
    end = s.pick([("It was full of gold coins", "shared it with everyone"), ("There was only a note. It said, \"The real treasure is a good friend\"", "laughed and hugged each other"),
                  ("It was full of chocolate", "ate it together and saved some for $P.call"), ("Inside there were old pictures and letters", "gave them to $P.call, who smiled and told them a long story")])
    return [
        s.together() + "$W$H and $F were playing $L.at. {$S1.cap, $F found an old map.|They found an old map in a bottle.|$F saw a piece of paper $S1. It was a map!} [F:happy> {Look! There is a big red X on it|It is a treasure map|This map shows a treasure}!] [H:happy> Let us find it!]",
        "The map said to {go over the bridge|walk to the old tree|go past the big rock}. {They walked and walked.|So off they went.} {Then they had to cross a muddy stream.|On the way they saw a {snake|big bird|funny frog}.} [F:scared> {I am a little scared.|What if we get lost?}] " +
        "[H:kind> {Hold my hand|We are almost there|We can do it together}.] $H took $F's hand, and they went on.",
        "{At last|Finally}, they came to the X. It was $S2! {They dug and dug.|They dug a deep hole with their hands.} {Clunk!|Thump!} There was an old box. It was locked, but next to it lay $O.a and a tiny key. {Click, went the lock.|$H put the key in and turned it.} The box opened. " + end[0] + ".",
        "{They looked at each other and smiled.|They could not believe it!} They " + end[1] + ". {$F kept $O.the, to remember the day.|$H gave $O.the to $F. \"So you will always think of this day.\"} [F:happy> {That was the best adventure ever|I want to do this again}!] {And they went home, tired and happy.|That night, they both dreamed of pirates and gold.}",
    ]


@plot
def greedy(s):
    s.cast()
    food = s.pick(words.SWEETS)
    s.subject = food
    s.put(Sweet=food, Sweets={"sandwich": "sandwiches", "strawberry": "strawberries", "candy": "candies", "cherry": "cherries", "peach": "peaches", "potato": "potatoes"}.get(food, food + "s"),
          Number=s.pick(["ten", "twelve", "twenty", "so many"]))
    return [
        s.alone(named=True) + "$H loved $Sweets more than anything. $W$P gave $H a basket with $Number $Sweets. [P> {These are for you and all your friends|Please share them with $F|Do not eat them all at once}.] [H> {Okay|I will|Yes, $P.call}.] ",
        "{But the $Sweets smelled so good.|But on the way, $H looked into the basket.} [H> {Just one|I will eat only one}.] So $H ate one. {Then $H.they ate one more. And one more.|Then $H.they ate another, and another.} {$F came by.|Then came $F.} [F> {May I have a $Sweet, please|Can I have one}?] [H:angry> No! They are all mine!] {$F went away with a sad face.|$F was hurt and walked away.} Soon the basket was empty.",
        "Then $H's tummy began to hurt. {Ouch, ouch!|It hurt a lot.} [H:sad> {Oh, my tummy|I do not feel good}!] {$H lay down and {cried|moaned}.|$H could not run or play.} {And nobody was there to help, because $H had sent $F away.|All alone, $H thought of $F.} [H:sad> I was {not nice|greedy}. {I should have shared|I ate too many}.]",
        "$F {heard $H|came back|was still worried about $H} and brought {some water|warm tea|a blanket}. [F:kind> {Here, this will help.|Do you feel better now?|You are still my friend.}] " + "[H> {I am sorry, $F|Thank you. I was wrong}. {Next time I will share with you|I will never be greedy again}.] {The next day, $H got two $Sweets and gave {one|the bigger one} to $F.|And $H kept that promise.|They both smiled, and $H's tummy felt better soon.}",
    ]


@plot
def garden(s):
    s.cast()
    seed, grown = s.pick(words.SEEDS)
    s.subject = grown
    s.put(Seed=seed, Grown=grown, It=seed.split()[-1], Plant=grown.split()[-1])
    return [
        s.alone(named=True) + "$W$P gave $H $Seed. [P:kind> {Put it in the ground and give it water|If you take care of it, something wonderful will happen|Plant it and be patient}.] {$H made a little hole in the garden|$H dug a small hole} and put the $It in. {Then $H.they gave it some water.|Then $H.they covered it with soft dirt.}",
        "{The next morning|The next day}, $H ran outside. There was nothing. [H:sad> {Why does it not grow|Where is my plant|Did I do it wrong}?] [P:kind> {You must wait|Good things take time|Be patient}. {A $It needs sun and water|It is working under the ground, where you can not see it}.] {$H waited and waited.|So $H gave it water every day.|Every day, $H sang a little song to it.} $F laughed. [F> {Nothing will grow there|It is just dirt}!] But $H did not stop.",
        "{Then, one $Day,|One day,|After many days,} there was a tiny green leaf! [H:happy> {Look! It is growing|It is here! It is here}!] {Each day it grew a little more.|It grew and grew.} {Once, a strong wind came, and $H held a box around it.|Once, a hungry bug came, and $H picked it off.|} {In the summer|At last|After some weeks}, it was $Grown!",
        "{Everyone came to see it.|$F could not believe it.} [F:happy> {It is beautiful|I was wrong|It is so big}!] [P:proud> {You took such good care of it|You were very patient|See what you have done}!] {$H shared it with all $H.their friends.|$H gave $F a seed, so that $F.they could grow one too.|$H learned that good things take time.}",
    ]


@plot
def cry_wolf(s):
    s.cast()
    danger = s.pick(["wolf", "bear", "monster", "snake", "fire", "tiger", "ghost"])
    s.subject = danger
    s.put(Danger=danger)
    return [
        s.alone(named=True) + "{But $H liked to play tricks.|$H thought it was funny to trick others.} $W$H was {bored|alone} $L.at. [H> {I will play a trick|I know what would be funny}.] Then $H.they shouted, \"Help! Help! {There is a $Danger|A $Danger}!\"",
        "$P.Name and $F came running. {They were out of breath.|They were so scared.} [F> Where is the $Danger?] {$H laughed and laughed.|$H laughed so hard.} [H:happy> {There is no $Danger! I tricked you|It was only a joke}!] {$F was angry.|$P.Name shook $P.their head.} [P> {That is not funny|If you tell lies, nobody will believe you}.] But the next day, $H did it again. {And again they came, and again $H laughed.|And again there was no $Danger.}",
        "Then, one {evening|day}, a real $Danger came! {$H was so scared.|$H's heart beat fast.} [H:scared> {Help! Help! A $Danger|Please come! There is a real $Danger}!] {But nobody came.|They all heard it, but they did not come.} [F> {It is only a trick again|$H is playing a joke again}.] {$H had to run and hide $S1 all alone.|$H climbed up a tree and cried.} {After a long time, the $Danger was gone.|$H stayed there until the $Danger was gone.}",
        "{$P.Name found $H there.|At last, $P came to look for $H.} [H:sad> {Why did you not come?|It was real this time!}] " + "[P:kind> {We did not know that it was true|When you lie, we can not know when you tell the truth}.] {$H felt very sorry.|$H understood.} [H:sad> I am sorry. I will not lie again.] {And from that day on, $H told the truth.|$H said sorry to $F, too, and never played that trick again.}",
    ]


@plot
def way_home(s):
    s.cast()
    s.animal()
    s.subject = s.slots["A"]["kind"]
    sign = s.pick(["the big red roof", "the tall tree with two tops", "the sound of the bell", "the old stone bridge", "the smell of warm bread", "the blue gate"])
    s.put(Sign=sign, Chase=s.pick(["a yellow butterfly", "a little bird", "a shiny bug", "a jumping frog", "a floating leaf"]))
    return [
        s.alone() + "$W$H {was $L.at with $P|went $L.to with $P}. {$Sky|} $H saw $Chase. {$H.They ran after it, farther and farther.|It was so pretty that $H followed it.} When $H stopped, {everything looked strange|$P was gone|there was nobody there}.",
        "[H:scared> {$P.call! Where are you|Where is everybody}?] " + "{But nobody answered.|Only the wind answered.} {It was getting dark.|The trees looked tall and dark.|$H was cold and hungry.} $H sat down and {began to cry|cried}. {Then|After a while}, $A.a came by. [A:kind> {Why are you crying|What is the matter|Are you lost}?] [H:sad> {I am lost|I can not find my way home|I want to go home}.] ",
        "[A:kind> {Do not be afraid|I can help you}. {What do you see near your home|What is near your home}?] {$H wiped $H.their eyes and thought.|$H thought hard.} [H> {I remember $Sign|There is $Sign}!] [A:happy> {I know where that is|I know the way}! {Come with me|Follow me}.] {They walked over the hill and past the river.|They went a long way together.|The $A.kind went first, and $H stayed close.} {Then $H was happy: there it was, $Sign!|And there it was, $Sign!}",
        "$P.Name {came running|was there, looking everywhere}. [P:happy> {There you are! I was so worried|Oh, $H! I looked for you everywhere}!] {$H jumped into $P.their arms.|They hugged for a long time.} [H> {I am sorry that I ran away|I will stay close to you next time}. The $A.kind helped me.] {They gave the $A.kind {something good to eat|a big dinner}.|$P.Name thanked the $A.kind.} {And from then on, the $A.kind was their friend.|After that, $H always stayed close to $P.|$H waved until the $A.kind was out of sight.}",
    ]


@plot
def noise(s):
    s.cast(("kid",))
    where, sound, what = s.pick(words.NOISES)
    s.subject = where
    s.put(Where=where, Sound=sound, What=what)
    return [
        s.alone(named=True) + "{One night|One dark night|Late one evening}, $H heard $Sound. It came from $Where. {$H pulled the blanket up to $H.their nose.|$H sat very still.|$H's heart went thump, thump, thump.} [H:scared> {It must be a monster!|What was that?|Is it a monster?}] ",
        "{$H ran to get $F.|$H called $F.|$F was there too.} [H:scared> {There is something $Where|Something is $Where}. Listen!] " + "[F:scared> {I hear it too|Let us run away|Maybe it is hungry}!] {They held hands and shook.|They were both afraid.} {Then they heard it again, even louder.|And there it was again!} [H> {We must be brave|Let us take a look}. {You take the light, and I will go first|Come with me}.]",
        "{Step by step|Very slowly|On their toes}, they went to look. {$F held the light.|The light in $F's hand was shaking.} {One, two, three!|$H counted to three.} They looked, and what did they see? It was not a monster at all. It was $What! {They looked at each other.|$H was so surprised.} {Then they began to laugh.|They laughed and laughed.}",
        "[F:happy> {And we were so scared|That is not a monster|We were silly}!] {[H> Things are not so scary when you look at them.]|[H> I am glad that we were brave.]|[H:kind> Maybe it was scared of us, too.]} {They told $P all about it, and $P.they laughed too.|They were tired now, and soon both were asleep.|After that, when $H heard something at night, $H.they was not so afraid.}",
    ]


@plot
def castle(s):
    s.cast(("kid",))
    king = s.pick([("king", "he"), ("queen", "she"), ("princess", "she"), ("prince", "he")])
    problem, solved = s.pick([
        ("could not laugh anymore", "told the story of a cow who wanted to fly. First there was a smile, then a giggle, and then a great big laugh"),
        ("could not sleep at night", "sang a soft song about the moon. Slowly, two tired eyes closed"),
        ("had lost a golden ring", "looked in the one place where nobody had looked: inside the cake! And there it was"),
        ("was always sad and alone", "did not dance or do tricks, but just asked, \"Do you want to be my friend?\" And that was all that was needed"),
        ("was afraid of the dragon on the hill", "went up the hill and talked with the dragon. The dragon was not bad. It only had a bad tooth, and so it was always angry"),
        ("had no more water in the well", "followed a little frog behind the castle and found a stream under the stones"),
        ("had a garden where no flower would grow", "saw that a big wall took away all the sun. So they took down the wall")])
    s.subject = problem
    s.royal(*king)
    s.put(Problem=problem, Solved=solved, Kind=king[0])
    return [
        "{Once upon a time|Long ago|A long time ago}, {in a castle on a hill|in a land far away|in a great stone castle}, there lived a $Kind. The $Kind had {everything|gold and silver and fine clothes}, but there was one trouble. The $Kind $Problem. [K:sad> {Who can help me|Is there nobody who can help me}?]",
        "{Many strong men and wise women came, but nobody could help.|Doctors came. Knights came. Nobody knew what to do.} {In the village below|Near the castle} lived $H.intro. {$H heard about it.|One day, $H heard the news.} [H> {I want to try|Maybe I can help|I will go to the castle}.] {The others laughed.|$F laughed.} [F> You? You are only a little $H.kind!]",
        "But $H was not afraid. {$H.They walked all the way to the castle.|$H.They went up the hill and knocked on the big door.} [K> {What can a little $H.kind do|Can you help me, little one}?] [H:kind> {I do not know, but I will try|Let me try}.] Then $H $Solved.",
        "{The whole castle cheered.|All the people danced in the streets.|The bells rang all day.} [K:happy> {You did what nobody else could do|Thank you, $H}! {What do you want? I will give you anything|You may have all the gold that you can carry}.] [H> {I do not need gold|I only want to come and visit you|I would like a big party for everyone}.] {And so it was.|The $Kind smiled and took $H.their hand.} {They were friends for the rest of their lives.|And they all lived happily ever after.|And the $Kind was never sad again.}",
    ]


@plot
def sick_friend(s):
    s.cast()
    gift = s.pick(["a bowl of warm soup", "a bunch of yellow flowers", "a funny picture", "a big red balloon", "a book with many stories", "a basket of fruit", "a jar of sweet honey", "a soft warm blanket"])
    s.subject = gift
    s.put(Gift=gift)
    return [
        s.together(named=True) + "{But one day, $F did not come out to play.|One $Time, $F did not come out to play.} {$H knocked on the door.|$H waited and waited, and then went to $F's home.} $F was in bed. [F:sad> {I am sick. I can not play today|My head hurts and my nose is red|I have a bad cold}.] {Achoo!|} {$H felt sorry for $F.|$H was sad.}",
        "$H asked $P, \"{What can I do to help|How can I make $F feel better}?\" [P:kind> {When you are sick, it helps to have a friend|Something kind will help more than you think}.] {So $H got to work.|$H had an idea.} {$H looked in the kitchen and in the garden.|It took all morning.} Then $H put on $H.their hat and went back with $Gift.",
        "[H:kind> {This is for you|I brought you something}.] $F {sat up|looked at it and smiled}. [F:happy> {$Gift.cap! Thank you, $H|How nice of you|I feel a little better already}!] " + "{$H sat next to the bed and told funny stories.|$H stayed all afternoon and sang songs.|They played quiet games together.} {$F laughed for the first time that day.|Soon $F fell asleep with a smile.}",
        "{The next day|A few days later|In the morning}, $F {felt much better|was well again|jumped out of bed}. [F:happy> {You made me well|Let us go out and play|You are the best friend in the world}!] {They went $L.to and played all day.|They ran outside into the sun.} {$H learned that kindness is the best medicine.|And when $H had a cold in the winter, guess who came with $Gift? It was $F!}",
    ]


@plot
def new_baby(s):
    s.cast()
    baby = s.pick(["sister", "brother"])
    act = s.pick(["made a funny face", "sang a little song", "danced around the room", "gave the baby a soft toy", "played peekaboo"])
    s.subject = act
    s.put(Baby=baby, Act=act, Sib="sister" if s.slots["H"]["they"] == "she" else "brother")
    return [
        s.alone(named=True) + "$W$P said, \"{We have a surprise|Come and see}. You have a new baby $Baby!\" {The baby was very small.|The baby had tiny hands and tiny feet.} Everyone came to look. {They all brought presents for the baby.|They all said how sweet the baby was.} But nobody looked at $H.",
        "{The baby cried all the time.|Day and night, the baby cried.} [H> {Can you play with me|Will you read me a story}, $P.call?] [P> {Not now, $H. The baby is hungry|Later, $H. The baby must sleep}.] {$H was sad and angry.|$H went to $H.their room and sat in a corner.} [H:sad> {Nobody loves me anymore|I do not like the baby}.]",
        "{Then, one night,|One $Time,} the baby cried and cried. $P.Name was so tired. {Nothing helped.|$P.They sang and rocked, but nothing helped.} $H came in and looked at the baby. Then $H $Act. {The baby stopped crying.|All at once, it was quiet.} The baby looked at $H with big eyes and {smiled|laughed}! It was the very first {smile|laugh}.",
        "[P:happy> {Look! The baby loves you|You did it, $H|You are a wonderful big $Sib}!] {$P.Name pulled $H close.|$P.Name gave $H a long hug.} [P:kind> {I love you just as much as before|There is enough love for both of you}.] {$H held the baby's tiny hand.|$H felt warm and happy inside.} [H:kind> {I will teach you everything|Do not cry, little $Baby. I am here}.] {From then on, $H helped every day.|And $H was never jealous again.|And the two became best friends.}",
    ]


@plot
def bedtime(s):
    s.cast()
    s.subject = s.find(words.TOYS)
    tries = s.pick([("counted sheep", "one sheep fell over, and that made it worse"), ("drank a cup of warm milk", "then it was time to get up and go to the bathroom"), ("closed both eyes very tight", "that was no fun at all"),
                    ("hid under the blanket", "it was too hot there")])
    s.put(Try=tries[0], Bad=tries[1])
    return [
        s.alone(named=True) + "{It was night.|One night, the moon was big and round.|It was time for bed.} [P:kind> Good night, $H. {Sleep well|Sweet dreams}.] But $H could not sleep. {$H turned to the left. $H turned to the right.|The bed was too hot, and then it was too cold.} $H.They was wide awake.",
        "First, $H $Try. But $Bad. {Then $H looked out of the window.|Then $H sat up.} [H> $P.call? {I can not sleep|I am still awake}.] $P.Name came in {with a little light|and sat on the bed}. [P:kind> {What are you thinking about|Is something wrong|What do you need}?] {$H thought.|$H looked around the room.} [H:sad> {I miss my $O|I do not know where my $O is|My $O is not here}.] ",
        "So they looked for $O.the. {It was not under the bed. It was not on the chair.|They looked in the box and under the table.} {Then $P laughed.|Then $H saw something $O.adj.} There it was, {behind the pillow|under the blanket|by the window}! [H:happy> {There you are|I found you|My $O}!] $H {held it tight|hugged it} and lay down again.",
        "$P.Name {sang a soft song|told a story about the stars|stayed until it was quiet}. {Outside, the wind was quiet.|The moon smiled through the window.|One by one, the stars came out.} $H's eyes became heavy. [H> {Good night, $P.call|Good night, moon|Good night, stars}.] And {before the song was over|before $P could say another word|a moment later}, $H was fast asleep.",
    ]


@plot
def snow_day(s):
    s.cast(("kid",))
    s.subject = s.pick(["hat", "scarf", "nose", "arms", "smile"])
    need = {"hat": ("a hat", "$P gave them an old black hat"), "scarf": ("a scarf", "$F took off a red scarf and gave it away"), "nose": ("a nose", "they found a long orange carrot in the kitchen"),
            "arms": ("two arms", "they found two long sticks under a tree"), "smile": ("a smile", "they made one with little black stones")}[s.subject]
    s.put(Need=need[0], Got=need[1].replace("$P", s.slots["P"][""]).replace("$F", s.slots["F"][""]))
    return [
        s.together(named=True) + "{One winter morning|One cold morning}, $H looked out of the window. {Everything was white!|Snow, snow, everywhere!} [H:happy> {It snowed|Look at all the snow}! {Come quickly, $F|Let us go outside}!] They put on warm coats and {boots|big gloves} and ran out.",
        "{They threw snowballs.|They slid down the hill.|They made marks in the snow like two big birds.} Then they {made|built} a snowman. They rolled one big ball, and one small ball on top. [F:happy> {He looks great|What a fine snowman}!] But {something was missing|the snowman looked a little sad}. [H> {I know! He needs|He does not have} $Need.] ",
        "{They looked everywhere.|They looked around in the snow.} At last, $Got. Now the snowman was {perfect|ready}. {$H gave him a name: Mr. Snow.|They danced around him.|It almost looked as if he was alive.} {They played until their noses were red.|They played until their toes were cold.} [P> {Come in! There is hot chocolate|Come inside and get warm}!]",
        "{In the night, it got warmer.|After a few days, the sun came out.} {When they came back, the snowman was much smaller.|Drip, drop, the snowman began to melt.} [F:sad> {Oh no! He is going away|Our poor snowman}!] [P:kind> {He will come back next winter|Do not be sad. Now he is water, and the flowers will drink him|Snow goes, but then comes spring}.] {$H and $F waved. \"Goodbye! See you next year!\"|And in the spring, the most beautiful flowers grew in that very spot.|They could not wait for the next winter.}",
    ]


@plot
def tidy_up(s):
    s.cast(("kid",))
    s.subject = s.find(words.TOYS)
    s.find(words.TREASURES, "O2")
    return [
        s.alone(named=True) + "$H's room was {a big mess|a mess}. There were {socks|books|blocks} on the bed and {toys|clothes|papers} on the floor. [P> {Please clean up your room|It is time to clean your room}, $H.] [H:angry> {I do not want to|But it is boring|No! I want to play}!]",
        "$W$H wanted to play with $O.the. {$H looked on the shelf. It was not there.|$H looked for it everywhere.} {It was not in the box.|It was not under the chair.} [H:sad> {Where is my $O?|I can not find my $O.}] " + "[P:kind> {In this mess, nobody can find anything|Maybe it is under all these things|If you clean up, you may find it}.]",
        "{$H sighed and began.|So $H started to clean up.} {First came the books, and then the blocks.|One thing after the other went into the box.} {Then $H made a game of it.|$F came to help, and they made it a game.} [H> {The floor is a lake, and we must save the toys!|How fast can we be?}] " + "{It was more fun than $H thought.|Soon they were laughing.} And what was that, under the bed? It was $O2.a that $H had lost long ago! And next to it was $O.the!",
        "[H:happy> {I found it! I found it|Look what I found}!] {The room was clean and bright.|Now there was a lot of room to play.} [P:proud> {Well done|What a nice clean room|I am proud of you}!] {$H played with $O.the all {day|evening}.|$H and $F played there until dinner.} {$H learned that it is easy to find things when they are in the right place.|After that, $H cleaned up every evening.|From then on, everything had its own place.}",
    ]


@plot
def trade(s):
    s.cast()
    first = s.find(words.TREASURES)
    second = s.find(words.TOYS)
    s.slots["O2"], s.slots["O"] = s.slots["O"], None
    s.find([t for t in words.TREASURES if t[0] != first])
    s.animal()
    s.subject = first = s.slots["O"][""]
    s.put(Want=second)
    return [
        s.alone() + "{More than anything, $H wanted $O2.a.|$H wished for $O2.a.} But all that $H had was $O.a. $W$H took $O.the and went $L.to. {$Sky|}",
        "{On the way|There}, $H met $A.a. {The $A.kind looked sad.|The $A.kind was crying.} [H:kind> {What is wrong|Why are you sad}?] [A:sad> {I lost my $O|Today is my birthday, and nobody gave me anything|I want to give my mother something nice, but I have nothing}.] {$H looked at $O.the.|$H held $O.the and thought.} It was the only thing that $H had. [H:kind> {Here, you can have my $O|Take this. It is for you}.] {The $A.kind was so happy.|The $A.kind jumped for joy.}",
        "$H walked on with empty hands. {$H was a little sad, but also a little happy.|But $H's heart felt light.} {Then $F came along.|Then $F came down the path.} [F> Why did you give away your $O?] " + "[H> {The $A.kind needed it more than me|I wanted to make someone happy}.] $F {smiled|was quiet for a while}. [F:kind> {You are very kind|Wait here}. I have something for you.]",
        "$F {ran home and came back|opened a bag and took something out}. It was $O2.a! [F:kind> {I do not play with it anymore|It is for you, because you have a good heart}.] {$H could not believe it.|$H's eyes became big.} [H:happy> {Thank you, $F|This is what I always wanted}!] {They played with $O2.the together, and the $A.kind came too.|$H learned that when you give, you get something back.|And so, all three were happy.}",
    ]


@plot
def balloon_away(s):
    s.cast(("kid",))
    s.subject = s.pick(["balloon", "kite", "hat", "scarf", "paper airplane"])
    s.put(O=s.subject, Adj=s.pick(["red", "yellow", "blue", "new", "pretty"]))
    s.helper()
    return [
        s.alone() + "$W$P gave $H a $Adj $O. {$H was so happy.|$H loved it at once.} [H:happy> {Thank you, $P.call|It is so pretty}!] {They went $L.to to play.|$H took it $L.to.} {$Sky|}",
        "{Whoosh! A strong wind came.|Then a big wind came.} It took the $O and carried it up, up, up. [H:scared> {Oh no! My $O|Stop! Come back}!] $H ran after it{, but the wind was faster|}. The $O flew over {the fence|the trees|the roofs} and landed {high in a tree|on a roof|on top of a tall wall}. {$H jumped, but it was too high.|$H could not reach it.} [H:sad> {It is gone|Now I will never get it back}.]",
        "$X.Name came by. [Y:kind> {What happened|Why are you so sad}?] [H:sad> My $O is up there.] $Y.Name looked up and {smiled|thought}. [Y> {I have a long ladder|I think I can get it with a long stick|I have an idea}.] {Slowly, $X.they reached up.|$X.They went up, one step at a time.} {\"Be careful!\" $H called.|$H held $H.their breath.} And then $X.they had it!",
        "[Y:happy> {Here is your $O|Here you are}!] [H:happy> {Thank you! Thank you|You are so kind}!] {$H wanted to give something back, so $H.they drew a picture of $Y.|$P.Name asked $Y to come for tea.|$H gave $Y a big hug.} {After that, $H held the $O very tight.|And $H tied the $O to $H.their hand, so that it could not fly away again.|From then on, they always waved when they met.}",
    ]


@plot
def lost_dog(s):
    s.cast(("kid",))
    pet = s.pick(["dog", "cat", "puppy", "kitten", "parrot", "bunny", "pony"])
    s.subject = pet
    s.helper()
    s.put(Pet=pet, PetName=s.pick(words.PET_NAMES), Color=s.pick(["brown", "white", "black", "gray", "spotted"]))
    return [
        s.alone() + "{$H wanted a pet more than anything.|What $H wanted most was a $Pet.|$H dreamed of having a $Pet.} But $P always said, \"{A pet is a lot of work|Maybe when you are older|We have to wait}.\" $W$H {found|saw} a little $Color $Pet {$S1|near the gate|by the road}. It was {cold and hungry|wet and alone|shaking}.",
        "[H:kind> {Hello, little one. Are you lost|Where do you live|Do not be afraid. Are you hungry}?] {$H took the $Pet home and gave it food and water.|$H put the $Pet in a warm blanket and gave it milk.} [H> Can we keep it, $P.call? {Please|I will take good care of it}!] [P:kind> {Somebody may be looking for it|It may have a home|First we must find out where it lives}.] {$H was sad, but $H.they knew that it was right.|So $H drew a sign with a picture of the $Pet.}",
        "{The next day|Two days later}, there was a knock at the door. There stood $X. [Y:happy> {That is my $PetName|$PetName! There you are|You found my $PetName}! I looked for you everywhere!] The $Pet {ran to|jumped up at} $Y. {$H wanted to cry, but $H.they smiled.|$H had tears in $H.their eyes.} [H:sad> {Goodbye, $PetName|I will miss you, $PetName}.]",
        "$Y.Name {looked at $H|saw how sad $H was}. [Y:kind> {You took such good care of $PetName|You have a good heart}. {Would you like to visit us every day?|Soon there will be babies. One can be yours!|Will you help me walk every morning?}] [H:happy> {Oh yes|I would love that}! Can I, $P.call?] [P:happy> {Of course|Yes, you can}!] {And so $H had a new friend, and $PetName had two homes.|$H jumped for joy and hugged $PetName.|From that day on, $H and $PetName played together every afternoon.}",
    ]


@plot
def boat_trip(s):
    s.cast()
    light = s.pick(["a tall lighthouse", "a big white bird", "a friendly whale", "a bright star", "a dolphin", "a red flag on the shore"])
    s.subject = light
    s.put(Light=light, The="the " + ("flag" if "flag" in light else light.split()[-1]), Boat=s.pick(["small blue boat", "old wooden boat", "little red boat", "white sail boat"]))
    return [
        s.together() + "$W$P took $H and $F out in a $Boat. {The water was calm and clear.|They could see fish under the water.} [F:happy> {I see a fish|This is fun|Look how blue it is}!] [H:proud> {I am the captain|I want to sail around the world}!] They {ate sandwiches|sang a song about the sea} and watched the waves.",
        "{Then dark clouds came.|Then the sky turned gray.} The wind blew harder and harder. {The boat went up and down.|Big waves shook the boat.} [F:scared> {I want to go home!|Are we going to sink?}] " + "[P:kind> {Hold on to me|Stay close}. {We must find the shore|Everything will be fine}.] But {the rain was so thick that they could see nothing|nobody knew the way}. ",
        "{$H did not cry. $H.They looked and looked.|$H was scared too, but $H.they kept looking.} And then, far away, $H saw $Light! [H:happy> {Look over there|I see something}! {It will show us the way|We must go that way}!] $P.Name turned the boat. {They all pulled hard.|Slowly, slowly, they followed $The.} {The waves became smaller.|The rain became softer.}",
        "At last, they came to the shore. {They were wet, but safe.|They fell down on the warm sand and laughed.} [P:proud> {You have good eyes, captain $H|You saved us, $H}!] [F:happy> {You were so brave|Next time I want to be the captain}.] {They made a fire and drank hot tea.|They waved to say thank you to $The.} {And they told the story again and again.|That night, $H dreamed of the sea.|$H learned to stay calm when things go wrong.}",
    ]


@plot
def food_thief(s):
    s.cast()
    thief, babies = s.pick([("squirrel", "three tiny babies"), ("mouse", "five little babies"), ("raccoon", "two hungry babies"), ("bird", "four baby birds"), ("fox", "three little cubs"), ("cat", "four small kittens")])
    food = s.pick(["sandwich", "cookie", "apple", "muffin", "pancake", "pear"])
    s.subject = thief + food
    s.put(Thief=thief, Babies=babies, Meal=food, Track=s.pick(["crumbs", "tiny footprints", "little marks in the mud"]))
    return [
        s.together() + "$W$H and $F {had a picnic|went for a picnic} $L.at. {$Sky|} {They put a blanket on the grass.|They opened the basket.} $H had a big $Meal. {[H:happy> I am so hungry!]|[F> I can not wait to eat!]} {But first, they played for a while.|But first, they went to wash their hands.}",
        "When they came back, the $Meal was gone! [H:angry> {Who took my $Meal|Where is my $Meal|Did you eat my $Meal, $F}?] [F> {It was not me|I did not take it|I was with you}!] {They looked at each other.|They were both upset.} Then $F {saw|found} $Track on the ground. [F> Look at this! Let us follow them.] ",
        "They followed the $Track {past the big tree|over a log|around a rock} and came to a hole. {Inside|There} sat a little $Thief with the $Meal! [H:angry> {There is the thief|Stop! That is mine}!] The $Thief {was scared|shook with fear}. Then they saw that next to it were $Babies. {They were so thin and hungry.|They all cried for food.} {$H was not angry anymore.|$H looked at them for a long time.} [H:sad> {Oh! They need it more than me|They are only hungry}.]",
        "$H {smiled|sat down}. [H:kind> {You can keep it|Eat, little ones}. {We have enough|Next time, you only need to ask}.] {$F broke another $Meal in two, and they shared it.|$F gave $H half of another $Meal.} [F:happy> {It tastes even better this way|You are so kind, $H}!] {After that, they always took some extra food along.|The next morning, there was a pile of nuts on the blanket. It was a thank you from the $Thief!|$H learned that it is good to ask why before being angry.}",
    ]


@plot
def bully(s):
    s.cast()
    s.subject = s.find(words.TOYS)
    trouble, deed = s.pick([("was in a muddy ditch and could not get out", "found a long branch and pulled hard"), ("was stuck in a tree and too afraid to come down", "climbed up and showed the way down, branch by branch"),
                            ("was lost and sat on a stone, crying", "took {his} hand and led the way home"), ("had a bad cut on one knee", "ran to get a bandage and some water"), ("was chased by an angry goose", "waved both arms and chased the goose away")])
    s.put(Trouble=trouble, Deed=deed.replace("{his}", s.slots["F"]["their"]))
    return [
        s.alone(named=True) + "Everyone {liked|loved} to play with $H, but one $F.kind named $F was mean. $W$H was playing with $O.a $L.at. $F came and {took|grabbed} $O.the. [F:angry> {This is mine now|Give me that|Ha! Now I have it}!] [H:sad> {Please give it back|That is not nice|That is my $O}.] But $F only laughed and ran away.",
        "$H went to $P and told $P.them what had happened. [P:kind> {Some are mean because they are sad inside|Maybe $F has no friends|Be kind, even when it is hard}.] {$H thought about that all night.|$H did not understand, but $H.they thought about it.} {The next day|A few days later}, $H heard someone call for help. It was $F! $F $Trouble.",
        "{$H could have walked away.|For a moment, $H wanted to walk away.} But $H {did not|ran to help}. [H:kind> {Do not be afraid. I will help you|Wait! I am coming}.] $H.They $Deed. {Soon $F was safe.|Then it was all over.} [F:shy> {Why did you help me|I was so mean to you. Why did you help}?] [H:kind> {Because you needed help|Nobody should be alone when they are scared}.]",
        "$F {looked at the ground|turned red}. Then $F gave back $O.the. [F:sad> {I am sorry that I took your $O|I am sorry that I was mean}. {I only wanted to play with someone|I have no friends}.] [H:happy> {You can play with me|Then let us be friends}!] {And they played with $O.the together until dark.|From that day on, $F was not mean anymore.|$H learned that kindness can turn a bully into a friend.}",
    ]


@plot
def fallen_star(s):
    s.cast()
    s.animal()
    s.subject = s.slots["A"]["kind"]
    way, trick = s.pick([("the highest hill", "threw the star as high as {they} could"), ("the tallest tree", "put the star on the very top branch"), ("the old tower", "held the star up to the moon"),
                         ("the edge of the world", "blew softly under the star"), ("a mountain with snow on top", "let the star ride on the wind")])
    s.put(Way=way, Trick=trick.replace("{they}", s.slots["H"]["they"]))
    return [
        s.alone(named=True) + "One {clear|quiet|dark} night, $H saw a little star fall from the sky. {It landed $S1.|It came down softly in the garden.} {$H ran outside.|$H put on $H.their shoes and ran out.} The star was {as small as an apple|no bigger than a hand}, and it was crying. \"{I fell down and I can not get back|I want to go home to the sky},\" said the star.",
        "[H:kind> {Do not cry, little star|Poor little star}. {I will take you home|I will find a way}.] $H put the star in {a jar|a basket|a pocket}, and it gave a soft light. {They walked through the dark forest.|They walked and walked.} On the way, they met $A.a. [A> {Where are you going so late|What is that light}?] [H> {I must bring this star back to the sky|This star is lost}. {Do you know the way|Can you help us}?] ",
        "[A:kind> {You must go to $Way|Only from $Way can a star get home}. I will {show you the way|come with you}.] {It was a long way.|It was cold, and $H was tired.} {$H wanted to sleep, but the star was getting weak.|The light of the star became weaker and weaker.} [A> {Hurry! The night is almost over|We must be there before the sun comes up}!] At last, they came to $Way. $H $Trick.",
        "{Whoosh! The star flew up, up, up.|Slowly, the star began to rise.} Soon it was back {with all the other stars|next to the moon}. It {shone brighter than all the others|blinked three times}. \"{Thank you, $H|I will always watch over you},\" it called. [H:happy> {Goodbye, little star|Good night, my friend}!] {The $A.kind carried $H home.|$H and the $A.kind walked home together.} {And every night, $H looked up and waved.|From then on, $H was never afraid of the night.}",
    ]


@plot
def train_ride(s):
    s.cast(("kid",))
    s.subject = s.find([toy for toy in words.TOYS if toy[0] in ("doll", "teddy bear", "robot", "hat", "scarf", "book", "blanket")])
    s.put(Ride=s.pick(["train", "bus", "big ship"]), Who=s.pick(["grandma", "grandpa", "aunt", "cousin"]))
    return [
        s.alone() + "$W$H and $P took the $Ride to visit $H.their $Who. {$H had never been on a $Ride before.|It was a long way.} $H took $O.a along. [H:happy> {Look, a cow|I can see a river|We are going so fast}!] {They saw fields and houses and a long bridge.|$H counted the trees until there were too many.}",
        "{After a long ride, they got off.|At last, they were there.} {$Who.cap was waiting and hugged them.|They waved and looked around.} Then $H {stopped|turned white}. [H:scared> {Oh no! My $O! I left it on the $Ride|My $O is still on the $Ride}!] But the $Ride was already {far away|leaving}. $H {cried and cried|felt terrible}. [H:sad> {Now it is gone forever|It will be so lonely|I want my $O back}.]",
        "[P:kind> {Do not cry|Wait here|Let us ask for help}. {I have an idea|There is always a way}.] They went to a man {in a blue hat|with a big mustache} and told him. [H> It is $O.a. {Please help me|I love it so much}.] The man {smiled|wrote it down}. \"{I will call the driver|We will look for it right away},\" he said. {They waited for a long time.|They sat down and waited.} $H {held $P.their hand|looked at the clock again and again}.",
        "Then the man came back. Behind his back was $O.the! \"{It was sitting by the window, looking out|The driver found it on a seat},\" he said. [H:happy> {My $O! You are back|Thank you, thank you}!] {$H hugged $O.the and then the man.|$H was so happy that everyone smiled.} [P> {Now you both had a big trip|I think it wanted to see more of the world}.] {They all laughed.|On the way home, $H held $O.the very tight.|After that, $H always looked twice before leaving.}",
    ]


@plot
def dragon_fire(s):
    s.cast(("wild",))
    s.become("H", "dragon")
    out = s.pick(["bubbles", "flowers", "snow", "warm water", "funny smoke rings", "butterflies", "soap", "candy"])
    use = s.pick([("a house in the village was on fire", "all came out at once, and the fire went out"), ("the children in the village were sad", "they all laughed and danced"),
                  ("a mean giant came to the village", "the giant slipped, laughed so hard, and forgot to be mean"), ("it was the birthday of the king, and everything was gray", "the whole town was bright and merry")])
    s.subject = out
    s.put(Out=out, Use=use[0], Then=use[1], Home=s.pick(["a big cave", "a cave on a mountain", "an old castle"]), Hobby=s.pick(["fly over the hills", "sing", "count the clouds", "tell jokes"]))
    return [
        s.alone(named=True) + "{$H could not do what other dragons do.|But $H had a problem.} When the other dragons opened their mouths, out came hot fire. But when $H tried it, out came $Out! {The other dragons laughed.|All the others made fun of $H.} [F:happy> {What kind of dragon are you?|Look! That is not fire!}] " + "{$H flew away and hid.|$H was very sad.}",
        "[P:kind> {What is wrong, my dear|Why are you so sad}?] [H:sad> {I am not a real dragon|I want to make fire like all the others}.] [P:kind> {You are different, and that is good|You have a gift that nobody else has}. {One day you will see|Just wait and see}.] {$H tried to make fire day after day.|$H ate hot peppers and drank hot soup.} But it did not help. {There was always only more $Out.|Puff! More $Out.}",
        "$W$F came flying. [F:scared> {Come quickly|Help}! {Something is wrong in the village|We need everyone}!] It was true: $Use. {The other dragons could not help. Fire was no good here.|The other dragons tried, but fire only made it worse.} [H> {Maybe I can do something|Let me try}.] $H {took a deep breath|closed $H.their eyes} and blew. {Puff!|Whoosh!} $Out.cap, more and more, and $Then!",
        "Everyone cheered for $H. [F:sad> {I am sorry that we laughed at you|You did what we could not do}.] {\"Hooray for $H!\" the people called.|The people gave $H a big cake.} {$H was so proud.|$H smiled from ear to ear.} [H:happy> {I am a real dragon after all|I like being me}!] {From that day on, nobody laughed at $H again.|And $H learned that it is good to be different.|And on every birthday, $H was asked to come.}",
    ]


@plot
def escaped(s):
    s.cast(("kid",))
    kind, lure = s.pick([("chickens", "corn"), ("sheep", "salt"), ("pigs", "apples"), ("goats", "carrots"), ("ducks", "bread"), ("bunnies", "lettuce"), ("cows", "fresh hay")])
    s.subject = kind
    s.put(Kind=kind, Lure=lure)
    return [
        s.together() + "$W$H and $F {helped on the farm|visited the farm of $H's grandpa|wanted to help the farmer}. {$Sky|} They {fed the $Kind|gave water to the $Kind}. [P> {Do not forget to close the gate|Please close the gate}.] But $F saw {a rainbow|a funny bug|a big tractor}, and they both forgot.",
        "When they came back, all the $Kind were gone! [F:scared> {Oh no! The gate is open|What have we done|They all ran away}!] {The $Kind were in the road, in the garden and on the porch.|One was in the kitchen, and one was in the flowers.} {They ran after them, but the $Kind were too fast.|They shouted and waved, but it only got worse.} {$F fell into the mud.|$H got mud all over $H.their face.}",
        "[H> {Stop! This does not work|Wait. Let us think}. {What do $Kind like best|What would make them come to us}?] [F> {They like $Lure|$Lure.cap! They love $Lure}!] {They ran to get a bucket of $Lure.|They found a big bag of $Lure.} {They made a long line of $Lure, all the way back to the gate.|$H shook the bucket and walked very slowly.} {One by one|Little by little}, the $Kind came. {They ate and ate, and soon all were inside.|Soon they were all back.} Click! $F closed the gate.",
        "{Then $P came.|$P.Name had seen it all.} [P> {What happened to you? Why are you so muddy|Did something happen}?] " + "[H:sad> {We forgot the gate|It was our fault}. {But we got them all back|We are sorry}.] $P.Name {laughed|smiled}. [P:kind> {Everyone makes mistakes, but you fixed yours|That was very clever}.] {They never forgot the gate again.|They washed their faces and had fresh milk and bread.|$H and $F laughed about it all the way home.}",
    ]


@plot
def different(s):
    s.cast(("wild",))
    mark, use = s.pick([("very long ears", "heard the danger long before anyone else"), ("a coat with many spots", "could hide in the leaves where nobody could see"), ("very big feet", "could walk on the deep snow without sinking"),
                        ("a very long tail", "let it down like a rope"), ("bright orange fur", "was easy to see from far away, even in the fog"), ("a very loud voice", "called so loud that everyone heard it"), ("a big nose", "could smell the way home")])
    danger = s.pick(["a big storm came, and $F was lost", "$F did not come home at night", "a thick fog came, and $F could not be found", "$F fell into a deep hole in the snow"])
    s.subject = mark
    s.put(Mark=mark, Use=use, Danger=danger.replace("$F", s.slots["F"][""]))
    return [
        s.alone(named=True) + "But $H did not look like the others. $H had $Mark. {The others did not want to play with $H.|Some of the others made jokes about it.} [F> {You look so funny!|Why do you look like that?}] " + "{$H looked at $H.self in the water.|$H went away and sat by the pond.} [H:sad> {I wish I looked like everybody else.|Why am I so different?}] ",
        "{$H tried to hide it.|$H tried to hide it with leaves and mud.} But it was no use. [P:kind> {I love you just the way you are|One day you will be glad about it|Nobody is like you, and that is wonderful}.] {$H did not believe it.|$H tried to smile.}",
        "$W$Danger. {Everyone was afraid.|Everyone looked, but it was no use.} {Nobody knew what to do.|All of them were crying.} [H> {I will go|Let me try|I think I can help}!] {$H did not wait.|$H was not afraid.} And because $H was different, $H.they $Use. {It took a long time, but then $H found $F!|And so, at last, $H came to $F!} [H:kind> {Here I am! You are safe now|Come with me, $F. I will bring you home}.]",
        "{When they came home, everyone cheered.|Everybody ran to meet them.} [F:sad> {I am sorry that I laughed at you|I was so wrong}. {You saved me|I think you are wonderful}.] [H:happy> {I am glad that I am me|Now I like the way I am}!] {From then on, everyone wanted to play with $H.|After that, $H was proud to be different.|And $H learned that what makes you different makes you special.}",
    ]


@plot
def day_out(s):
    s.cast()
    sights = s.rng.sample(words.SIGHTS[s.slots["L"][""]], 4)
    trouble, cry, end = s.pick(words.MISHAPS)
    s.subject = s.slots["L"][""]
    names = {"{F}": s.slots["F"][""], "{their}": s.slots["H"]["their"]}
    for old, new in names.items():
        trouble, end = trouble.replace(old, new), end.replace(old, new)
    s.put(Do1=sights[0], Do2=sights[1], Do3=sights[2], Do4=sights[3], Trouble=trouble, Cry=cry, End=end)
    return [
        s.together() + "$W$H and $F went $L.to{ with $P|}. {$Sky|} {First, they|They} $Do1. Then they $Do2. {[F:happy> This is fun!]|[H:happy> I like it here!]|They laughed a lot.}",
        "{After that, they|Next, they} $Do3. {But then|Suddenly}, $Trouble. [F:sad> $Cry!] {$H wanted to help.|$H thought for a moment.|$H knew what to do.} [H:kind> {Do not worry|I have an idea|I am here}.] $H $End. {$F smiled again.|Soon $F felt better.} [F:kind> {Thank you, $H|You are a good friend}.]",
        "{There was still time.|But the day was not over.} {Before they went home, they|At the end, they} $Do4. {The sun was going down, and the sky was pink and gold.|It was getting late.} [P> {It is time to go home.|Come, dinner is ready.|Did you have a good day?}] " +
        "{[H:happy> It was the best day!]|[F:happy> Can we come back tomorrow?]|[H> Yes! But now I am tired.]} {They went home hand in hand.|They were tired, but very happy.|That night, they both dreamed of $L.}",
    ]


@plot
def pet_mischief(s):
    s.cast(("kid",))
    pet = s.pick(["dog", "cat", "puppy", "kitten", "parrot", "goat"])
    things = s.rng.sample(["sock", "shoe", "spoon", "hat", "glove", "brush", "key", "pencil"], 3)
    spot = s.pick(["under the bed", "in the dog house", "behind the sofa", "in a big basket", "under the stairs"])
    s.subject = pet + things[0]
    why = s.pick([("a soft nest for a tiny lost bird", "was only being kind"), ("a bed for three new babies", "was going to be a mother"), ("a big pile to sleep on", "only wanted to smell them all close by"),
                  ("a present for $H, with a ribbon on top", "wanted to say thank you")])
    s.put(Pet=pet, PetName=s.pick(words.PET_NAMES), T1=things[0], T2=things[1], T3=things[2], Spot=spot, Nest=why[0].replace("$H", s.slots["H"][""]), Why=why[1])
    return [
        s.alone() + "{$H had a $Pet named $PetName.|$H's best friend was a $Pet named $PetName.} {They went everywhere together.|They played every day.|$PetName slept at the end of $H's bed.} $W$P could not find a $T1. [P> {Where is my $T1|Who took my $T1}?] [H> {I do not know|It was not me}.]",
        "{The next day|Later}, a $T2 was gone. And then a $T3! {Everyone looked all over the house.|They looked in every room.} {[P:angry> This is very strange!]|[P> Is there a thief in the house?]} {$H wanted to find out.|$H had a plan.} That night, $H {did not sleep|hid behind a chair}. And what did $H see? It was $PetName, {on its toes, very quiet}! ",
        "$H {followed $PetName|went after $PetName without a sound}. $PetName went to a place $Spot. {There was the $T1, and the $T2, and the $T3!|There were all the lost things!} $PetName had made $Nest. {$H had to laugh.|$H was so surprised.} [H:happy> {So it was you, $PetName|You are the thief}!] $PetName $Why.",
        "$H called $P, and $P.they {laughed too|was not angry at all}. [P:kind> {What a clever $Pet|Now I understand|$PetName can keep the $T1}.] {They gave $PetName an old blanket and took back the other things.|They gave $PetName a soft pillow.} {$PetName made a happy sound.|$H hugged $PetName tight.} {And when something was lost, everybody knew where to look.|From then on, nothing was ever lost again. Almost nothing!}",
    ]


@plot
def big_turnip(s):
    s.cast()
    plant = s.pick(["turnip", "carrot", "pumpkin", "beet", "radish", "potato"])
    helpers = s.rng.sample(["a dog", "a cat", "a cow", "a goat", "a pig", "a rabbit", "a duck"], 3)
    small = s.pick(["mouse", "bug", "bird", "ant"])
    s.subject = plant + small
    s.put(Plant=plant, A1=helpers[0], A2=helpers[1], A3=helpers[2], D1="the " + helpers[0][2:], Small=small, Dish=s.pick(["soup", "stew", "cake", "salad"]))
    return [
        s.alone(named=True) + "$H had planted a $Plant in the garden. {It grew and grew.|Every day it was bigger.} {Soon it was as big as a house!|Soon it was the biggest $Plant in the world!} $W$H wanted to pull it out. $H pulled and pulled, but the $Plant did not move.",
        "$H called $F. [H> {Please help me!|Can you help me pull?}] " + "$F held $H, and $H held the $Plant. They pulled and pulled, but it did not move. Then came $A1. {$D1.cap|It} held $F, $F held $H, and $H held the $Plant. They pulled and pulled, but it still did not move.",
        "Then came $A2 and $A3. {Now there were five of them.|All five pulled together.} [F> One, two, three, pull!] But the $Plant did not move. {They were all so tired.|They all sat down.} Then came a tiny $Small. \"{I can help|Let me help},\" said the $Small. {Everybody laughed.|[F> But you are so small!]} [H:kind> {Let us try|Everyone can help}.] They all pulled, and the $Small pulled too. {And then, pop!|And then there was a loud pop!} Out came the $Plant, and they all fell down.",
        "{They laughed and laughed.|Everyone cheered.} [H:happy> {We did it! Thank you, little $Small|It was you, little $Small, who made the difference}!] $P.Name made a big pot of $Plant $Dish, and {there was enough for everyone|they all ate until they were full}. {The $Small got the first bite.|The little $Small ate the most of all.} {And they learned that nobody is too small to help.|Together they could do anything.}",
    ]


@plot
def hide_and_seek(s):
    s.cast()
    s.subject = s.slots["L"][""] + s.slots["S1"][""]
    return [
        s.together() + "$W$H and $F played hide and seek $L.at. {$Sky|} [F> I will count. You hide!] $F closed $F.their eyes. [F> One, two, three, four, five!] {$H looked for a good place.|$H ran fast.} $H.They hid $S1. {It was a very good place.|Nobody could see $H.them there.}",
        "[F:happy> Ready or not, here I come!] $F looked $S2. No $H. $F looked $S3. No $H. {$H tried not to laugh.|$H sat as quiet as a mouse.} {Time went by.|It was warm and quiet.} {$H's eyes became heavy. Soon $H was fast asleep.|And then $H fell asleep.}",
        "$F looked and looked. [F:scared> {$H! Where are you|You can come out now, $H}!] {But nobody answered.|It was so quiet.} {$F was not having fun anymore.|It was getting dark, and $F was worried.} $F ran to get $P. [F:sad> {I can not find $H|$H is lost}!] They took a light and called, \"$H! $H!\" {Then $F heard a funny sound.|Then they heard something.} {It was someone snoring $S1!|Somebody was snoring $S1!}",
        "[F:happy> {There you are|I found you|We were so worried}!] $H woke up and {rubbed $H.their eyes|yawned}. [H> {Did I win|Is the game over}?] {They all began to laugh.|$P.Name laughed until $P.they cried.} [F> {You win! You are the best at hiding!|Yes, you win. But next time, please stay awake.}] " + "{And they all went home for dinner.|From then on, they had a rule: no sleeping in hide and seek!}",
    ]


@plot
def quarrel(s):
    s.cast()
    thing = s.pick([("what a cloud looked like", "a horse", "a boat"), ("which color was the best", "red", "blue"), ("who could jump higher", "me", "not you"), ("which animal was the smartest", "the owl", "the fox"),
                    ("what to name the snail", "Speedy", "Slimy"), ("which way was the best", "left", "right"), ("who was taller", "me", "not you")])
    s.subject = thing[0]
    s.put(About=thing[0], One=thing[1], Two=thing[2], Make=s.pick(["a flower", "a cookie", "a drawing", "a shiny stone", "a little song"]))
    return [
        s.together() + "$W$H and $F {were sitting|were playing} $L.at. {$Sky|} {They began to fight about $About.|Then they could not agree about $About.} [H> {It is|I say it is} $One!] [F:angry> No, $Two!] [H:angry> $One.cap! I am right and you are wrong!]",
        "{They both got very angry.|Soon they were both shouting.} [F:angry> {I do not want to play with you anymore|You are not my friend anymore}!] $F walked away. $H walked the other way. {At home, $H tried to play alone.|$H sat alone and looked at the wall.} {But it was no fun.|But every game needs two.} [P:kind> {Where is $F today|Why are you alone}?] [H:sad> {We had a fight about $About|We had a fight, and now I feel bad}.]",
        "$P.Name {smiled|sat down next to $H}. [P:kind> {What is more important, to be right or to have a friend|Is it worth losing a friend}?] {$H thought about it for a long time.|$H did not have to think long.} Then $H {took|made} $Make for $F and {went out|opened the door}. And who was standing there? It was $F, with $Make too!",
        "{They looked at each other and laughed.|Both began to talk at the same time.} [H> {I am sorry|I was silly}.] [F> {I am sorry too|So was I}. {It does not matter at all|We can both be right}.] {They went back and played until dark.|They hugged, and then they ran outside.} {After that, when they could not agree, they laughed and took turns.|They learned that a friend is worth more than being right.}",
    ]


@plot
def band(s):
    s.cast(("wild",))
    s.animal()
    music = s.rng.sample(["a hollow log", "two flat stones", "a blade of grass", "an old pot", "some dry nuts", "a broken bell", "a long reed"], 3)
    s.subject = music[0] + music[1]
    s.put(M1=music[0], M2=music[1], M3=music[2])
    return [
        s.alone(named=True) + "$H loved music. But $H did not have {a drum or a flute|anything to play on}. $W$H found $M1 $L.at. $H tried to make a sound with it. {Bum, bum, bum!|Tap, tap, tap!} {It sounded good.|What a fine sound!} [H:happy> {I can make music|Now I have my own music}!]",
        "$F came to listen. [F> {What is that sound|Can I play too}?] [H> {Yes! Find something that makes a sound|Of course! But you need something to play on}.] $F looked around and found $M2. {Now there were two.|It sounded funny, but nice.} Then came $A.a, and $A.they had $M3. {They played and played.|Bum, tap, ding!} But it was so loud! {All the animals put their hands over their ears.|[P:angry> Stop! What a terrible noise!]}",
        "$H was sad. [H:sad> {Nobody likes our music|We only make noise}.] $A.Name was wise. [A:kind> {We all play at the same time, and nobody listens|We must listen to each other}.] So they tried it again. First $H played, very softly. Then $F came in, and then $A. {They listened to each other.|Now every sound had its place.} {And suddenly it was music!|It was like the rain and the wind and the birds together.}",
        "In the evening, {all the animals came|everyone came back} to hear them. {They danced under the moon.|The little ones danced and the old ones smiled.} [P:happy> {That was wonderful|Play it again}!] [H:proud> {We are a band|It sounds good because we listen}!] {From then on, there was music every night.|And they called themselves the band of $L2.|$H learned that music begins with listening.}",
    ]


@plot
def thirsty_bird(s):
    s.cast(("wild",))
    hero = s.pick(["crow", "bird", "mouse", "monkey", "duck"])
    s.become("H", hero)
    fill = s.pick(["small stones", "nuts", "shells", "round pebbles"])
    vessel = s.pick(["a tall jar", "an old bucket", "a deep cup", "a long bottle", "a hollow stump"])
    s.subject = vessel + fill
    s.put(Fill=fill, Jar=vessel, It=vessel.split()[-1], Home="a tree")
    return [
        s.alone(named=True) + "It had not rained for a long time. {The river was dry.|All the ponds were dry.} $H was very, very thirsty. $W$H found $Jar. {There was a little water at the bottom.|Deep inside, there was some water.} [H:happy> {Water! At last|I am saved}!]",
        "But $H could not reach it. {The $It was too deep.|The water was too far down.} $H {pushed|tried to tip over} the $It, but it was too heavy. $F came by. [F> {You will never get it|Give up|It is no use}.] And $F went away. {$H did not give up.|But $H sat down to think.} [H> {There must be a way|Think, $H, think}!]",
        "Then $H saw some $Fill on the ground. {$H had an idea!|\"Ah!\" said $H.} $H took one and dropped it in. Plop! The water came up a tiny bit. $H dropped in another. Plop! And another. Plop! {It was slow work.|It took a long time.} {Plop, plop, plop.|But with each one, the water came higher.} {At last|Finally}, the water was at the top!",
        "$H drank and drank. {It was the best water in the world.|How good it was!} Then $H saw $F, {tired and thirsty|lying in the shade}. [H:kind> {Come, there is enough for two|Drink, $F}.] [F> {How did you do that?|You are so clever!|I should not have given up.}] " + "[H:happy> {Little by little|One by one}!] {And that night, it began to rain.|$F learned that thinking is better than giving up.}",
    ]


@plot
def bridge_meeting(s):
    s.cast(("wild",))
    s.subject = s.slots["H"]["kind"] + s.slots["F"]["kind"]
    s.put(Bridge=s.pick(["narrow bridge", "thin log", "small wooden bridge", "row of stones"]))
    return [
        s.alone() + "$W$H wanted to cross the {river|deep stream} to {find some $Food|visit $P|see the other side}. There was only one $Bridge. {In the middle|Half way}, $H met $F the $F.kind, who came from the other side. There was no room for two.",
        "[H> {Please go back. I was here first.|Let me pass!}] " + "[F:angry> {No! You go back|Never! I was here first|I am bigger. You must go back}!] {They stood nose to nose.|Neither wanted to go back.} {They pushed and pushed.|$H pushed, and $F pushed back.} Splash! Both fell into the water. {Brr, it was cold!|They were wet from head to foot.}",
        "{They swam to the shore and sat there, shaking.|They climbed out and looked at each other.} {$F had a leaf on $F.their nose.|There was mud on $H's ears.} {$H began to giggle.|They looked so silly.} Then both laughed. [F> {We were very silly|Look at us}!] [H:kind> {I am sorry that I pushed you|Next time, I will let you go first}.] [F:kind> {No, no. You first|I am sorry too}.]",
        "They went back to the $Bridge. {[F> After you.] [H> No, after you!]|This time, $F waited, and $H went first.} {On the other side, $H turned around and waved.|$H crossed over and called, \"Now you!\"} {From then on, they met there every day and told each other stories.|They dried in the sun and shared some $Food.|They learned that being kind gets you farther than being first.}",
    ]


@plot
def lost_tooth(s):
    s.cast(("kid",))
    way = s.pick([("bit into a big apple", "apple"), ("laughed at a joke", "joke"), ("ate a piece of bread", "bread"), ("jumped off the bed", "jump"), ("sneezed", "sneeze"), ("sang a very high note", "song")])
    s.subject = way[1]
    s.find(words.TREASURES)
    s.put(Way=way[0])
    return [
        s.alone(named=True) + "$H had a loose tooth. {It moved to the left and it moved to the right.|$H pushed it with $H.their tongue all day.} [H:scared> {Will it hurt when it comes out?|I am afraid that it will hurt.}] " + "[P:kind> {Not much. It comes out when it is ready|It will be over before you know it}. {Then you put it under your pillow|A new one will come}.]",
        "$W$H $Way. {Pop! Out came the tooth.|Then something felt strange. The tooth was out!} [H:happy> {It did not hurt at all|My tooth! It is out}!] $H {ran to show it to $F|jumped up and down}. But {in the grass|on the way}, $H fell, and the little tooth was gone. {They looked and looked.|$F looked on the ground with $H.} [H:sad> {Now I have nothing to put under my pillow|It is too small to find}!]",
        "[P:kind> {I know what to do|Do not be sad}. {You can write a letter|We will write a note}.] So $H wrote, with big letters: \"{Dear tooth fairy, I lost my tooth|My tooth fell out and I lost it. Please believe me}. Love, $H.\" {$H put the letter under the pillow.|The letter went under the pillow.} {It was hard to sleep.|$H wanted to stay awake, but soon $H.they was asleep.}",
        "In the morning, $H looked under the pillow. There was $O.a! And there was a tiny note. It said, \"{I found your tooth in the grass|I believe you}. {You were very brave|What a fine tooth}!\" [H:happy> {Look! Look what I have|The tooth fairy was here}!] {$P.Name smiled.|$F could not believe it.} {$H smiled too, and everyone could see the hole.|And $H could not wait for the next tooth to come out.}",
    ]


@plot
def web(s):
    s.cast(("wild",))
    s.become("H", "spider")
    s.put(Home=s.pick(["a corner of the barn", "an old apple tree", "the corner of a garden fence"]), Hobby=s.pick(["spin long threads", "swing in the wind", "watch the rain"]))
    breaks = s.rng.sample(["The wind blew it away", "A big bird flew through it", "The rain tore it", "A cow walked into it", "A ball went right through it", "A leaf fell on it and broke it"], 2)
    s.subject = breaks[0] + breaks[1]
    s.put(B1=breaks[0], B2=breaks[1])
    return [
        s.alone(named=True) + "$W$H wanted to make the most beautiful web in the world. {Up and down, left and right, $H worked.|$H worked all night.} In the morning, it was done. It {shone|sparkled} in the sun. [H:proud> {Look at my web!|Is it not lovely?}] " + "But then, oh no! $B1.",
        "[F> It is not worth it. {Webs always break|Come and play with me}.] " + "{$H was sad for a while.|$H looked at the broken threads.} [H> {I will make it again, and better|I will try once more}.] And $H did. But then it happened again. $B2. {$H cried a little.|That was too much. $H hid in a corner.}",
        "{A tiny voice said, \"Please do not stop. I watch you every day.\"|Then a little fly called, \"Your web is the best of all!\"} {It was a small bug who could not sleep.|$H looked up.} [H:sad> Why should I try again?] " + "\"{Because each one is more beautiful than the last|Each time, you get better}.\" {$H thought about it.|That was true!} So $H started once more, this time in a quiet place under the roof.",
        "When the sun came up, small drops of water hung on every thread. {It looked like a thousand stars.|It was like a net of silver.} {All the animals came to see.|Even $F was quiet.} [F:happy> {I have never seen anything so beautiful|I am glad that you did not stop}!] {$H was tired and very happy.|$H bowed with all eight legs.} {And when the web broke again, $H only laughed and began a new one.|$H learned that every new try makes you better.}",
    ]
