"""Out of doors: journeys, weather and things to build."""

from .. import words


def lost_thing(s):
    s.cast()
    s.subject = s.find(words.TOYS if s.world == "kid" else words.TREASURES)
    return s.alone() + """
        {$H had $O.a. $H.They {took it everywhere|loved it very much|played with it every day}.|$H.Their
        favorite thing was $O.a.} $W$H took $O.the $L.to. {$Sky|}

        {When it was time to go home|After a while|Later}, $H looked around. $O.The was gone! {$H was very
        sad.|$H began to cry.|$H felt like crying.} [H:sad> {Oh no! Where is my $O?|Oh no! I lost my $O!|I can
        not find my $O!}] $F {saw $H and came over|heard $H|came to help}. [F:kind> {Do not worry|Do not be
        sad|Do not cry}. {I will help you look|We will find it together|Let us look for it}.]

        {First, they|They} looked $S1. It was not there. {Then|Next}, they looked $S2. {There was only {an old
        shoe|a little bug|a brown leaf}.|It was not there.} {At last|Finally|Then}, $F looked $S3. [F:happy>
        {Look|Come here}{, $H|}! {I found it|Here is your $O|I see something $O.adj}!] {It was $O.the!|There
        was $O.the!}

        $H {hugged $F|gave $F a big hug|jumped up and down}. [H:happy> {Thank you, $F! You are a
        {good|true|great} friend.|Thank you so much!|You are the best!}] {From that day on, $H always took
        good care of $O.the.|After that, $H never left $O.the behind again.|They played with $O.the until {the
        sun went down|it was time for dinner}.}
    """


def rescue(s):
    s.cast(("kid",))
    animal, how, tool, deed = s.pick(words.TRAPPED)
    s.subject = animal
    s.put(A=animal, How=how, Tool=tool, Deed=deed)
    return s.alone() + """
        $W$H {was walking|went for a walk|was playing} $L.at {with $H.their $P.kind|}. {$Sky|} {Then $H.they
        heard a {soft|small|sad} {sound|cry}.|Suddenly, $H.they heard something.}

        {$H looked around.|$H ran to see what it was.|$H followed the sound.} {There was a $A|It was a $A},
        $How. {The poor $A was {scared|very scared|afraid}.|It looked so sad.} [H:sad> {Oh no! You poor little
        $A|Do not be afraid, little $A|Poor thing}. {I will help you|I want to help you}.] But {$H did not
        know how.|it was too hard to do alone.|$H.they could not do it alone.}

        {$H ran to get help.|$H called for help.} [H> $P.call, {please come quickly|please help|come and
        look}! {There is a $A in trouble|A $A needs us}!] $P.Name {brought|came with|found} $Tool. {Very
        slowly|Very carefully|Together}, they $Deed.

        {The $A was safe!|Now the $A was safe.} {It looked at $H as if to say thank you.|It {rubbed|leaned}
        against $H.|It made a happy sound.} [P:kind> {You have a kind heart, $H|I am proud of you|You did the
        right thing}.] {$H smiled. $H.They {felt warm inside|was very happy|was proud too}.|Every day after
        that, $H came back to see the $A.|$H {waved|said goodbye} and went home with a happy heart.}
    """


def build(s):
    s.cast(("kid",))
    what, stuff, fail, fix = s.pick(words.BUILDS)
    s.subject = what
    s.put(What=what, Stuff=stuff, Fail=fail, Fix=fix, It=what.split(" ", 1)[1])
    return s.together() + """
        $W$H and $F {wanted to build|decided to make|had an idea. They wanted to build} $What. {[H:happy> It
        will be the best $It ever!]|[F:happy> Let us make it really big!]|$Sky} They {got|found|used} {a lot
        of|some} $Stuff.

        {They worked very hard.|They worked and worked.|They worked all morning.} {It looked great.|Soon it
        was almost done.} But then, oh no! $Fail. {[F:sad> All our work is gone!]|[H:angry> I do not want to
        do this anymore!]|$F was so sad that $F.they sat down and cried.}

        {But $H did not give up.|$H thought for a while.|$P.Name came to look.} {[H:kind> Let us try again. We
        can make it better.]|[P:kind> Do not give up. Think about what went wrong.]} {They talked about
        it.|They looked at it again.} {This time|So this time}, they $Fix. {They were very careful.|They
        helped each other.|They did not hurry.}

        {At last|Finally|After a long time}, it was done. {The $It was strong and beautiful.|It was even
        better than before.} [F:happy> {We did it|Look at it|It works}!] [P:proud> {What a wonderful $It|You
        two are great builders|Good work}!] {$H and $F were very proud.|They learned that it is good to try
        again.|They played there until it was dark.}
    """


def rainy_day(s):
    s.cast()
    game, detail = s.pick([
        ("a picnic on the floor", "They put a blanket down and ate sandwiches"),
        ("a show with puppets", "They made the puppets out of old socks"),
        ("our own pirate ship", "The bed was the ship and a pillow was the sail"),
        ("a big parade", "They made hats out of paper and marched around"),
        ("a restaurant", "They wrote the menu with crayons and cooked a pretend meal"),
        ("a circus", "They walked on a line and jumped through a hoop"),
        ("a race with paper boats", "They folded the boats and let them swim in a long puddle"),
    ])
    s.subject = game
    s.put(Game=game, Detail=detail, Rain=s.pick(["rain", "storm", "wind"]))
    return s.together() + """
        $H and $F {wanted to|planned to} go $L.to. {They had been waiting for it all week.|They were very
        excited.|They packed {some food|a basket} and {put on their shoes|got ready}.}

        But when they {looked outside|opened the door}, big drops of rain {fell from the sky|began to fall}.
        {Splash, splash, splash!|Boom, went the thunder.|The sky was dark and gray.} [F:sad> {Oh no! Now we
        can not go|Our day is ruined|I do not like rain}.] {They sat by the window and watched the rain.|They
        waited, but the rain did not stop.|They were both very sad.}

        {Then $H had an idea.|Suddenly, $H jumped up.} [H:happy> {We do not need the sun to have fun|I know
        what we can do}! Let us have $Game!] $Detail. {They laughed so much that their tummies hurt.|$P.Name
        came to see, and $P.they laughed too.|It was so much fun that they forgot about the rain.}

        {When the rain stopped|After a while|In the evening}, {the sun came out|they looked out again}. {There
        was a {big|beautiful} rainbow in the sky.|A rainbow was in the sky, with red and yellow and blue.}
        [F:happy> {Look! A rainbow|How pretty}!] {[H> This was the best rainy day ever.]|[F> I am glad that it
        rained.]} {They jumped in all the puddles.|They learned that you can have fun on any day.|They held
        hands and looked at it for a long time.}
    """


def skill(s):
    s.cast()
    name, fails, does = s.pick(words.SKILLS if s.world == "kid" else words.WILD_SKILLS)
    s.subject = name
    s.put(Skill=name, Fails=fails, Does=does)
    return s.alone(named=True) + """
        {$H wanted to learn to $Skill.|More than anything, $H wanted to $Skill.|$F could $Skill, and $H wanted
        to learn it too.} $W$H {went $L.to to try|asked $P for help|tried for the first time}.

        {The first time|At first}, $H $Fails. {$H tried again, but it did not work.|$H tried again and again.
        Each time it went wrong.} {Some others laughed.|} [H:sad> {I can not do it|It is too hard|I will never
        learn to $Skill}!] $H {wanted to give up|sat down and cried|was very sad}.

        $P.Name {sat down next to $H|saw it and smiled|came over}. [P:kind> {Nobody can do it the first
        time|It took me a long time too|You only need to practice}. {Try a little every day|Do not give up|I
        will show you how}.] {So $H practiced every day.|So every {morning|evening}, $H tried again.|$H wiped
        $H.their eyes and tried again.} {Day by day, it got a little better.|Slowly, it became easier.}

        {Then, one day|And then|At last}, $H $Does! [H:happy> {I did it! I did it|Look at me|I can do it}!]
        $P.Name {clapped|cheered} and $F {cheered too|was amazed}. [F:happy> {You did it|That was great|Wow}!
        Do it again!] {$H was very proud.|$H learned that practice makes you better.|And from then on, when
        something was hard, $H did not give up.}
    """


def treasure(s):
    s.cast(("kid",))
    s.subject = s.find(words.TREASURES)
    end = s.pick([
        ("It was full of gold coins", "shared it with everyone"),
        ('There was only a note. It said, "The real treasure is a good friend"',
         "laughed and hugged each other"),
        ("It was full of chocolate", "ate it together and saved some for $P"),
        ("Inside there were old pictures and letters",
         "gave them to $P, who smiled and told them a long story"),
    ])
    s.put(Inside=end[0], After=end[1].replace("$P", s.slots["P"]["call"]))
    return s.together() + """
        $W$H and $F were playing $L.at. {$S1.cap, $F found an old map.|They found an old map in a bottle.|$F
        saw a piece of paper $S1. It was a map!} [F:happy> {Look! There is a big red X on it|It is a treasure
        map|This map shows a treasure}!] [H:happy> Let us find it!]

        The map said to {go over the bridge|walk to the old tree|go past the big rock}. {They walked and
        walked.|So off they went.} {Then they had to cross a muddy stream.|On the way they saw a {snake|big
        bird|funny frog}.} [F:scared> {I am a little scared.|What if we get lost?}] [H:kind> {Hold my hand|We
        are almost there|We can do it together}.] $H took $F's hand, and they went on.

        {At last|Finally}, they came to the X. It was $S2! {They dug and dug.|They dug a deep hole with their
        hands.} {Clunk!|Thump!} There was an old box. It was locked, but next to it lay $O.a and a tiny key.
        {Click, went the lock.|$H put the key in and turned it.} The box opened. $Inside.

        {They looked at each other and smiled.|They could not believe it!} They $After. {$F kept $O.the, to
        remember the day.|$H gave $O.the to $F. "So you will always think of this day."} [F:happy> {That was
        the best adventure ever|I want to do this again}!] {And they went home, tired and happy.|That night,
        they both dreamed of pirates and gold.}
    """


def garden(s):
    s.cast()
    seed, grown = s.pick(words.SEEDS)
    s.subject = grown
    s.put(Seed=seed, Grown=grown, It=seed.split()[-1], Plant=grown.split()[-1])
    return s.alone(named=True) + """
        $W$P gave $H $Seed. [P:kind> {Put it in the ground and give it water|If you take care of it, something
        wonderful will happen|Plant it and be patient}.] {$H made a little hole in the garden|$H dug a small
        hole} and put the $It in. {Then $H.they gave it some water.|Then $H.they covered it with soft dirt.}

        {The next morning|The next day}, $H ran outside. There was nothing. [H:sad> {Why does it not
        grow|Where is my plant|Did I do it wrong}?] [P:kind> {You must wait|Good things take time|Be patient}.
        {A $It needs sun and water|It is working under the ground, where you can not see it}.] {$H waited and
        waited.|So $H gave it water every day.|Every day, $H sang a little song to it.} $F laughed. [F>
        {Nothing will grow there|It is just dirt}!] But $H did not stop.

        {Then, one $Day,|One day,|After many days,} there was a tiny green leaf! [H:happy> {Look! It is
        growing|It is here! It is here}!] {Each day it grew a little more.|It grew and grew.} {Once, a strong
        wind came, and $H held a box around it.|Once, a hungry bug came, and $H picked it off.|} {In the
        summer|At last|After some weeks}, it was $Grown!

        {Everyone came to see it.|$F could not believe it.} [F:happy> {It is beautiful|I was wrong|It is so
        big}!] [P:proud> {You took such good care of it|You were very patient|See what you have done}!] {$H
        shared it with all $H.their friends.|$H gave $F a seed, so that $F.they could grow one too.|$H learned
        that good things take time.}
    """


def way_home(s):
    s.cast()
    s.animal()
    s.subject = s.slots["A"]["kind"]
    sign = s.pick(["the big red roof", "the tall tree with two tops", "the sound of the bell",
                  "the old stone bridge", "the smell of warm bread", "the blue gate"])
    s.put(Sign=sign, Chase=s.pick(["a yellow butterfly", "a little bird", "a shiny bug", "a jumping frog",
          "a floating leaf"]))
    return s.alone() + """
        $W$H {was $L.at with $P|went $L.to with $P}. {$Sky|} $H saw $Chase. {$H.They ran after it, farther and
        farther.|It was so pretty that $H followed it.} When $H stopped, {everything looked strange|$P was
        gone|there was nobody there}.

        [H:scared> {$P.call! Where are you|Where is everybody}?] {But nobody answered.|Only the wind
        answered.} {It was getting dark.|The trees looked tall and dark.|$H was cold and hungry.} $H sat down
        and {began to cry|cried}. {Then|After a while}, $A.a came by. [A:kind> {Why are you crying|What is the
        matter|Are you lost}?] [H:sad> {I am lost|I can not find my way home|I want to go home}.]

        [A:kind> {Do not be afraid|I can help you}. {What do you see near your home|What is near your home}?]
        {$H wiped $H.their eyes and thought.|$H thought hard.} [H> {I remember $Sign|There is $Sign}!]
        [A:happy> {I know where that is|I know the way}! {Come with me|Follow me}.] {They walked over the hill
        and past the river.|They went a long way together.|The $A.kind went first, and $H stayed close.} {Then
        $H was happy: there it was, $Sign!|And there it was, $Sign!}

        $P.Name {came running|was there, looking everywhere}. [P:happy> {There you are! I was so worried|Oh,
        $H! I looked for you everywhere}!] {$H jumped into $P.their arms.|They hugged for a long time.} [H> {I
        am sorry that I ran away|I will stay close to you next time}. The $A.kind helped me.] {They gave the
        $A.kind {something good to eat|a big dinner}.|$P.Name thanked the $A.kind.} {And from then on, the
        $A.kind was their friend.|After that, $H always stayed close to $P.|$H waved until the $A.kind was out
        of sight.}
    """


def snow_day(s):
    s.cast(("kid",))
    s.subject = s.pick(["hat", "scarf", "nose", "arms", "smile"])
    need = {
        "hat": ("a hat", "$P gave them an old black hat"),
        "scarf": ("a scarf", "$F took off a red scarf and gave it away"),
        "nose": ("a nose", "they found a long orange carrot in the kitchen"),
        "arms": ("two arms", "they found two long sticks under a tree"),
        "smile": ("a smile", "they made one with little black stones"),
    }[s.subject]
    s.put(Need=need[0], Got=need[1].replace("$P", s.slots["P"][""]).replace("$F", s.slots["F"][""]))
    return s.together(named=True) + """
        {One winter morning|One cold morning}, $H looked out of the window. {Everything was white!|Snow, snow,
        everywhere!} [H:happy> {It snowed|Look at all the snow}! {Come quickly, $F|Let us go outside}!] They
        put on warm coats and {boots|big gloves} and ran out.

        {They threw snowballs.|They slid down the hill.|They made marks in the snow like two big birds.} Then
        they {made|built} a snowman. They rolled one big ball, and one small ball on top. [F:happy> {He looks
        great|What a fine snowman}!] But {something was missing|the snowman looked a little sad}. [H> {I know!
        He needs|He does not have} $Need.]

        {They looked everywhere.|They looked around in the snow.} At last, $Got. Now the snowman was
        {perfect|ready}. {$H gave him a name: Mr. Snow.|They danced around him.|It almost looked as if he was
        alive.} {They played until their noses were red.|They played until their toes were cold.} [P> {Come
        in! There is hot chocolate|Come inside and get warm}!]

        {In the night, it got warmer.|After a few days, the sun came out.} {When they came back, the snowman
        was much smaller.|Drip, drop, the snowman began to melt.} [F:sad> {Oh no! He is going away|Our poor
        snowman}!] [P:kind> {He will come back next winter|Do not be sad. Now he is water, and the flowers
        will drink him|Snow goes, but then comes spring}.] {$H and $F waved. "Goodbye! See you next year!"|And
        in the spring, the most beautiful flowers grew in that very spot.|They could not wait for the next
        winter.}
    """


def balloon_away(s):
    s.cast(("kid",))
    s.subject = s.pick(["balloon", "kite", "hat", "scarf", "paper airplane"])
    s.put(O=s.subject, Adj=s.pick(["red", "yellow", "blue", "new", "pretty"]))
    s.helper()
    return s.alone() + """
        $W$P gave $H a $Adj $O. {$H was so happy.|$H loved it at once.} [H:happy> {Thank you, $P.call|It is so
        pretty}!] {They went $L.to to play.|$H took it $L.to.} {$Sky|}

        {Whoosh! A strong wind came.|Then a big wind came.} It took the $O and carried it up, up, up.
        [H:scared> {Oh no! My $O|Stop! Come back}!] $H ran after it{, but the wind was faster|}. The $O flew
        over {the fence|the trees|the roofs} and landed {high in a tree|on a roof|on top of a tall wall}. {$H
        jumped, but it was too high.|$H could not reach it.} [H:sad> {It is gone|Now I will never get it
        back}.]

        $X.Name came by. [Y:kind> {What happened|Why are you so sad}?] [H:sad> My $O is up there.] $Y.Name
        looked up and {smiled|thought}. [Y> {I have a long ladder|I think I can get it with a long stick|I
        have an idea}.] {Slowly, $X.they reached up.|$X.They went up, one step at a time.} {"Be careful!" $H
        called.|$H held $H.their breath.} And then $X.they had it!

        [Y:happy> {Here is your $O|Here you are}!] [H:happy> {Thank you! Thank you|You are so kind}!] {$H
        wanted to give something back, so $H.they drew a picture of $Y.|$P.Name asked $Y to come for tea.|$H
        gave $Y a big hug.} {After that, $H held the $O very tight.|And $H tied the $O to $H.their hand, so
        that it could not fly away again.|From then on, they always waved when they met.}
    """


def boat_trip(s):
    s.cast()
    light = s.pick(["a tall lighthouse", "a big white bird", "a friendly whale", "a bright star", "a dolphin",
                   "a red flag on the shore"])
    s.subject = light
    s.put(Light=light, The="the " + ("flag" if "flag" in light else light.split()[-1]),
          Boat=s.pick(["small blue boat", "old wooden boat", "little red boat", "white sail boat"]))
    return s.together() + """
        $W$P took $H and $F out in a $Boat. {The water was calm and clear.|They could see fish under the
        water.} [F:happy> {I see a fish|This is fun|Look how blue it is}!] [H:proud> {I am the captain|I want
        to sail around the world}!] They {ate sandwiches|sang a song about the sea} and watched the waves.

        {Then dark clouds came.|Then the sky turned gray.} The wind blew harder and harder. {The boat went up
        and down.|Big waves shook the boat.} [F:scared> {I want to go home!|Are we going to sink?}] [P:kind>
        {Hold on to me|Stay close}. {We must find the shore|Everything will be fine}.] But {the rain was so
        thick that they could see nothing|nobody knew the way}.

        {$H did not cry. $H.They looked and looked.|$H was scared too, but $H.they kept looking.} And then,
        far away, $H saw $Light! [H:happy> {Look over there|I see something}! {It will show us the way|We must
        go that way}!] $P.Name turned the boat. {They all pulled hard.|Slowly, slowly, they followed $The.}
        {The waves became smaller.|The rain became softer.}

        At last, they came to the shore. {They were wet, but safe.|They fell down on the warm sand and
        laughed.} [P:proud> {You have good eyes, captain $H|You saved us, $H}!] [F:happy> {You were so
        brave|Next time I want to be the captain}.] {They made a fire and drank hot tea.|They waved to say
        thank you to $The.} {And they told the story again and again.|That night, $H dreamed of the sea.|$H
        learned to stay calm when things go wrong.}
    """


def food_thief(s):
    s.cast()
    thief, babies = s.pick([
        ("squirrel", "three tiny babies"),
        ("mouse", "five little babies"),
        ("raccoon", "two hungry babies"),
        ("bird", "four baby birds"),
        ("fox", "three little cubs"),
        ("cat", "four small kittens"),
    ])
    food = s.pick(["sandwich", "cookie", "apple", "muffin", "pancake", "pear"])
    s.subject = thief + food
    s.put(Thief=thief, Babies=babies, Meal=food, Track=s.pick(["crumbs", "tiny footprints",
          "little marks in the mud"]))
    return s.together() + """
        $W$H and $F {had a picnic|went for a picnic} $L.at. {$Sky|} {They put a blanket on the grass.|They
        opened the basket.} $H had a big $Meal. {[H:happy> I am so hungry!]|[F> I can not wait to eat!]} {But
        first, they played for a while.|But first, they went to wash their hands.}

        When they came back, the $Meal was gone! [H:angry> {Who took my $Meal|Where is my $Meal|Did you eat my
        $Meal, $F}?] [F> {It was not me|I did not take it|I was with you}!] {They looked at each other.|They
        were both upset.} Then $F {saw|found} $Track on the ground. [F> Look at this! Let us follow them.]

        They followed the $Track {past the big tree|over a log|around a rock} and came to a hole.
        {Inside|There} sat a little $Thief with the $Meal! [H:angry> {There is the thief|Stop! That is mine}!]
        The $Thief {was scared|shook with fear}. Then they saw that next to it were $Babies. {They were so
        thin and hungry.|They all cried for food.} {$H was not angry anymore.|$H looked at them for a long
        time.} [H:sad> {Oh! They need it more than me|They are only hungry}.]

        $H {smiled|sat down}. [H:kind> {You can keep it|Eat, little ones}. {We have enough|Next time, you only
        need to ask}.] {$F broke another $Meal in two, and they shared it.|$F gave $H half of another $Meal.}
        [F:happy> {It tastes even better this way|You are so kind, $H}!] {After that, they always took some
        extra food along.|The next morning, there was a pile of nuts on the blanket. It was a thank you from
        the $Thief!|$H learned that it is good to ask why before being angry.}
    """


def train_ride(s):
    s.cast(("kid",))
    small = ("doll", "teddy bear", "robot", "hat", "scarf", "book", "blanket")
    s.subject = s.find([toy for toy in words.TOYS if toy[0] in small])
    s.put(Ride=s.pick(["train", "bus", "big ship"]), Who=s.pick(["grandma", "grandpa", "aunt", "cousin"]))
    return s.alone() + """
        $W$H and $P took the $Ride to visit $H.their $Who. {$H had never been on a $Ride before.|It was a long
        way.} $H took $O.a along. [H:happy> {Look, a cow|I can see a river|We are going so fast}!] {They saw
        fields and houses and a long bridge.|$H counted the trees until there were too many.}

        {After a long ride, they got off.|At last, they were there.} {$Who.cap was waiting and hugged
        them.|They waved and looked around.} Then $H {stopped|turned white}. [H:scared> {Oh no! My $O! I left
        it on the $Ride|My $O is still on the $Ride}!] But the $Ride was already {far away|leaving}. $H {cried
        and cried|felt terrible}. [H:sad> {Now it is gone forever|It will be so lonely|I want my $O back}.]

        [P:kind> {Do not cry|Wait here|Let us ask for help}. {I have an idea|There is always a way}.] They
        went to a man {in a blue hat|with a big mustache} and told him. [H> It is $O.a. {Please help me|I love
        it so much}.] The man {smiled|wrote it down}. "{I will call the driver|We will look for it right
        away}," he said. {They waited for a long time.|They sat down and waited.} $H {held $P.their
        hand|looked at the clock again and again}.

        Then the man came back. Behind his back was $O.the! "{It was sitting by the window, looking out|The
        driver found it on a seat}," he said. [H:happy> {My $O! You are back|Thank you, thank you}!] {$H
        hugged $O.the and then the man.|$H was so happy that everyone smiled.} [P> {Now you both had a big
        trip|I think it wanted to see more of the world}.] {They all laughed.|On the way home, $H held $O.the
        very tight.|After that, $H always looked twice before leaving.}
    """


def escaped(s):
    s.cast(("kid",))
    kind, lure = s.pick([
        ("chickens", "corn"),
        ("sheep", "salt"),
        ("pigs", "apples"),
        ("goats", "carrots"),
        ("ducks", "bread"),
        ("bunnies", "lettuce"),
        ("cows", "fresh hay"),
    ])
    s.subject = kind
    s.put(Kind=kind, Lure=lure)
    return s.together() + """
        $W$H and $F {helped on the farm|visited the farm of $H's grandpa|wanted to help the farmer}. {$Sky|}
        They {fed the $Kind|gave water to the $Kind}. [P> {Do not forget to close the gate|Please close the
        gate}.] But $F saw {a rainbow|a funny bug|a big tractor}, and they both forgot.

        When they came back, all the $Kind were gone! [F:scared> {Oh no! The gate is open|What have we
        done|They all ran away}!] {The $Kind were in the road, in the garden and on the porch.|One was in the
        kitchen, and one was in the flowers.} {They ran after them, but the $Kind were too fast.|They shouted
        and waved, but it only got worse.} {$F fell into the mud.|$H got mud all over $H.their face.}

        [H> {Stop! This does not work|Wait. Let us think}. {What do $Kind like best|What would make them come
        to us}?] [F> {They like $Lure|$Lure.cap! They love $Lure}!] {They ran to get a bucket of $Lure.|They
        found a big bag of $Lure.} {They made a long line of $Lure, all the way back to the gate.|$H shook the
        bucket and walked very slowly.} {One by one|Little by little}, the $Kind came. {They ate and ate, and
        soon all were inside.|Soon they were all back.} Click! $F closed the gate.

        {Then $P came.|$P.Name had seen it all.} [P> {What happened to you? Why are you so muddy|Did something
        happen}?] [H:sad> {We forgot the gate|It was our fault}. {But we got them all back|We are sorry}.]
        $P.Name {laughed|smiled}. [P:kind> {Everyone makes mistakes, but you fixed yours|That was very
        clever}.] {They never forgot the gate again.|They washed their faces and had fresh milk and bread.|$H
        and $F laughed about it all the way home.}
    """


def day_out(s):
    s.cast()
    sights = s.rng.sample(words.SIGHTS[s.slots["L"][""]], 4)
    trouble, cry, end = s.pick(words.MISHAPS)
    s.subject = s.slots["L"][""]
    names = {"{F}": s.slots["F"][""], "{their}": s.slots["H"]["their"]}
    for old, new in names.items():
        trouble, end = trouble.replace(old, new), end.replace(old, new)
    s.put(Do1=sights[0], Do2=sights[1], Do3=sights[2], Do4=sights[3], Trouble=trouble, Cry=cry, End=end)
    return s.together() + """
        $W$H and $F went $L.to{ with $P|}. {$Sky|} {First, they|They} $Do1. Then they $Do2. {[F:happy> This is
        fun!]|[H:happy> I like it here!]|They laughed a lot.}

        {After that, they|Next, they} $Do3. {But then|Suddenly}, $Trouble. [F:sad> $Cry!] {$H wanted to
        help.|$H thought for a moment.|$H knew what to do.} [H:kind> {Do not worry|I have an idea|I am here}.]
        $H $End. {$F smiled again.|Soon $F felt better.} [F:kind> {Thank you, $H|You are a good friend}.]

        {There was still time.|But the day was not over.} {Before they went home, they|At the end, they} $Do4.
        {The sun was going down, and the sky was pink and gold.|It was getting late.} [P> {It is time to go
        home.|Come, dinner is ready.|Did you have a good day?}] {[H:happy> It was the best day!]|[F:happy> Can
        we come back tomorrow?]|[H> Yes! But now I am tired.]} {They went home hand in hand.|They were tired,
        but very happy.|That night, they both dreamed of $L.}
    """
