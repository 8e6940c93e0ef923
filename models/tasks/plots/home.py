"""At home: small fears, mishaps and chores."""

from .. import words


def fear(s):
    s.cast(("kid",))
    what, looks, advice = s.pick(words.FEARS)
    s.subject = what
    s.put(Fear=what, Looks=looks, Advice=advice, Shape=s.pick(["shaking", "hiding behind a chair",
          "holding on tight", "very quiet"]))
    return s.alone(named=True) + """
        $H.They was {brave|not afraid of much}, but there was one thing: $H.they was {afraid of|scared of}
        $Fear. {$Looks that $H.they {wanted to run away|could not move|closed $H.their eyes}.|When $H.they
        {thought of it|thought about it}, $H.their {heart beat fast|knees shook|tummy hurt}.}

        $W$P {found|saw} $H $Shape. [P:kind> What is wrong, $H?] [H:scared> {I am scared of $Fear|I am
        afraid|I do not like $Fear}.] {$P.Name sat down next to $H.|$P.Name gave $H a hug.|$P.Name took
        $H.their hand.} [P:kind> {Everyone is afraid of something|When I was little, I was scared too|It is
        okay to be scared}. {Let us try something|I know what helps}. {First, $Advice|You can $Advice}.]

        {$H took a deep breath.|$H thought for a moment.|$H held $P.their hand.} [H:shy> {Okay, I will try.|I
        can try.|Will you stay with me?}] {So they tried it together.|Step by step, $H tried.} {At first, $H
        was still scared.|At first it was hard.|$H.Their hands were shaking.} {But then|But after a little
        while}, {it was not so bad|$H began to smile|$H forgot to be afraid}.

        [H:happy> {Look, $P.call! I did it|I am not scared anymore|It is not so bad}!] [P:kind> {I knew you
        could do it|You are very brave|I am so proud of you}.] {From that day on, $H was not afraid of $Fear
        anymore.|$H learned that being brave means to try even when you are scared.|The next time, $H told $F,
        "You do not have to be afraid. I can help you."}
    """


def broken(s):
    s.cast(("kid",))
    s.subject = s.pick(words.BREAKABLES)
    s.put(O=s.subject, Adj=s.pick(["blue", "old", "pretty", "white", "big"]),
          Cause=s.pick(["was playing with a ball", "was running", "was dancing", "was chasing the cat",
          "was jumping on the bed", "was throwing a ball", "was being silly"]))
    return s.alone(named=True) + """
        {$P.Name had|At home, there was} a $Adj $O {that everyone loved|on the table|by the window}. [P>
        {Please be careful|Be careful near the $O|Please do not run in the house}, $H.]

        $W$H $Cause in the house. {Crash! The $O fell {down|on the floor} and broke.|$H.They bumped into the
        table. The $O fell down and broke into many pieces.} {$H was so scared.|$H felt terrible.|$H did not
        know what to do.} {$H.They hid the pieces {under the bed|behind the door|in a box}.|$H.They wanted to
        hide.}

        {Soon, $P came {in|home}.|Then $P came into the room.} [P> {What happened to the $O|Where is the
        $O|Did you hear that noise}?] {$H could say that the cat did it. But that was not true.|$H looked at
        the floor.|$H's face turned red.} {$H wanted to tell the truth.|$H took a deep breath.} [H:sad> {I
        broke it|It was me|I broke the $O}. {I am so sorry|I am very sorry|I did not mean to do it}.]

        $P.Name {was quiet for a moment|was a little sad, but not angry|gave $H a hug}. [P:kind> {Thank you
        for telling the truth|It was brave to tell me|I am glad that you told me}. {We can fix it together|A
        $O can be fixed, but a lie is hard to fix}.] {They got some glue and put the pieces back
        together.|Together they {picked up all the pieces|put the pieces together with glue}.} {The $O was not
        perfect, but $H felt much better.|$H learned {to always tell the truth|that it is good to tell the
        truth}.|After that, $H never played ball in the house again.}
    """


def cooking(s):
    s.cast(("kid",))
    dish, have, need = s.pick(words.DISHES)
    s.subject = dish
    s.helper()
    s.put(Dish=dish, Have=have, Need=need, It=dish.split()[-1])
    return s.alone() + """
        $W$H {wanted to make|wanted to surprise $F with|helped $P make} $Dish. {It was $F's birthday.|Friends
        were coming to visit.|$F was coming for dinner.} [H:happy> {Let us start|This will be so
        {good|yummy}|I will help}!]

        {First|To begin}, they {washed their hands|got a big bowl}. {Then they looked in the kitchen.|Then
        they opened the cupboard.} They {had|had plenty of|had enough} $Have, but they had no $Need. [H:sad>
        {Oh no! We can not make $Dish without $Need!|What will we do now?|But we need $Need!}] [P:kind> {Do
        not worry|I have an idea}. {Maybe someone can help us|Go and ask next door}.]

        {So $H went|$H ran|$H walked} next door. {There lived $X.|$X.Name lived there.} [H> {Hello! May I have
        some $Need|Do you have some $Need, please}?] [Y:kind> {Of course|Yes, I do|Sure}! {Here you are.|Take
        as much as you like.|What are you making?}] [H:happy> Thank you! {You can come and eat with us|Please
        come and have some, too}.]

        {$H ran home|$H hurried back} and they mixed {everything|it all} together. {Soon the house smelled
        wonderful.|They waited and waited. Ding! It was ready.|The kitchen was a mess, but nobody cared.}
        {Everyone sat down at the table.|$F came, and $Y came too.} [F:happy> {This is the best $It ever|Yum!
        It is so good|It tastes wonderful}!] {$H was very proud.|$H smiled from ear to ear.|They ate it all
        up, and there was not one crumb left.}
    """


def warning(s):
    s.cast(("kid",))
    rule, deed, result, lesson = s.pick(words.WARNINGS)
    s.subject = rule
    s.put(Rule=rule, Deed=deed, Result=result, Lesson=lesson)
    return s.alone(named=True) + """
        {$P.Name always told $H, "Do not $Rule."|[P> {Please do not|Never|You must not} $Rule, $H. {It is not
        safe|It is dangerous}.]} {But $H {did not always listen|was too curious|thought it would be fun}.|[H>
        {Okay, $P.call|I know, I know}.]}

        $W{$P was busy|nobody was looking|$H was playing with $F}. [H> {I just want to see what happens|I am
        big now|It will be fine|Nothing will happen}.] {$F said, "{Do not do it|We should not do that}!"|} So
        $H $Deed. {At first it was fun.|} {Then|Suddenly}, $H $Result. [H:scared> {Help|Ouch|Oh no}! {$P.call,
        help me|Please help me}!]

        {$P.Name {heard $H and came running|came as fast as $P.they could}.|$F ran to get help, and soon $P
        came.} $P.Name {helped $H|took care of $H|made everything better}. [P:kind> {Are you okay|What
        happened}?] [H:sad> {I am sorry|I did not listen}. {I should have listened to you|You told me not to
        $Rule}.]

        {$P.Name hugged $H.|$P.Name was not angry.} [P:kind> {I am glad that you are safe|I tell you these
        things because I love you|Now you know why}.] {$H learned to $Lesson.|From that day on, $H always
        remembered to $Lesson.|$H promised to $Lesson, and $H.they kept that promise.}
    """


def noise(s):
    s.cast(("kid",))
    where, sound, what = s.pick(words.NOISES)
    s.subject = where
    s.put(Where=where, Sound=sound, What=what)
    return s.alone(named=True) + """
        {One night|One dark night|Late one evening}, $H heard $Sound. It came from $Where. {$H pulled the
        blanket up to $H.their nose.|$H sat very still.|$H's heart went thump, thump, thump.} [H:scared> {It
        must be a monster!|What was that?|Is it a monster?}]

        {$H ran to get $F.|$H called $F.|$F was there too.} [H:scared> {There is something $Where|Something is
        $Where}. Listen!] [F:scared> {I hear it too|Let us run away|Maybe it is hungry}!] {They held hands and
        shook.|They were both afraid.} {Then they heard it again, even louder.|And there it was again!} [H>
        {We must be brave|Let us take a look}. {You take the light, and I will go first|Come with me}.]

        {Step by step|Very slowly|On their toes}, they went to look. {$F held the light.|The light in $F's
        hand was shaking.} {One, two, three!|$H counted to three.} They looked, and what did they see? It was
        not a monster at all. It was $What! {They looked at each other.|$H was so surprised.} {Then they began
        to laugh.|They laughed and laughed.}

        [F:happy> {And we were so scared|That is not a monster|We were silly}!] {[H> Things are not so scary
        when you look at them.]|[H> I am glad that we were brave.]|[H:kind> Maybe it was scared of us, too.]}
        {They told $P all about it, and $P.they laughed too.|They were tired now, and soon both were
        asleep.|After that, when $H heard something at night, $H.they was not so afraid.}
    """


def new_baby(s):
    s.cast()
    baby = s.pick(["sister", "brother"])
    act = s.pick(["made a funny face", "sang a little song", "danced around the room",
                 "gave the baby a soft toy", "played peekaboo"])
    s.subject = act
    s.put(Baby=baby, Act=act, Sib="sister" if s.slots["H"]["they"] == "she" else "brother")
    return s.alone(named=True) + """
        $W$P said, "{We have a surprise|Come and see}. You have a new baby $Baby!" {The baby was very
        small.|The baby had tiny hands and tiny feet.} Everyone came to look. {They all brought presents for
        the baby.|They all said how sweet the baby was.} But nobody looked at $H.

        {The baby cried all the time.|Day and night, the baby cried.} [H> {Can you play with me|Will you read
        me a story}, $P.call?] [P> {Not now, $H. The baby is hungry|Later, $H. The baby must sleep}.] {$H was
        sad and angry.|$H went to $H.their room and sat in a corner.} [H:sad> {Nobody loves me anymore|I do
        not like the baby}.]

        {Then, one night,|One $Time,} the baby cried and cried. $P.Name was so tired. {Nothing helped.|$P.They
        sang and rocked, but nothing helped.} $H came in and looked at the baby. Then $H $Act. {The baby
        stopped crying.|All at once, it was quiet.} The baby looked at $H with big eyes and {smiled|laughed}!
        It was the very first {smile|laugh}.

        [P:happy> {Look! The baby loves you|You did it, $H|You are a wonderful big $Sib}!] {$P.Name pulled $H
        close.|$P.Name gave $H a long hug.} [P:kind> {I love you just as much as before|There is enough love
        for both of you}.] {$H held the baby's tiny hand.|$H felt warm and happy inside.} [H:kind> {I will
        teach you everything|Do not cry, little $Baby. I am here}.] {From then on, $H helped every day.|And $H
        was never jealous again.|And the two became best friends.}
    """


def bedtime(s):
    s.cast()
    s.subject = s.find(words.TOYS)
    tries = s.pick([
        ("counted sheep", "one sheep fell over, and that made it worse"),
        ("drank a cup of warm milk", "then it was time to get up and go to the bathroom"),
        ("closed both eyes very tight", "that was no fun at all"),
        ("hid under the blanket", "it was too hot there"),
    ])
    s.put(Try=tries[0], Bad=tries[1])
    return s.alone(named=True) + """
        {It was night.|One night, the moon was big and round.|It was time for bed.} [P:kind> Good night, $H.
        {Sleep well|Sweet dreams}.] But $H could not sleep. {$H turned to the left. $H turned to the
        right.|The bed was too hot, and then it was too cold.} $H.They was wide awake.

        First, $H $Try. But $Bad. {Then $H looked out of the window.|Then $H sat up.} [H> $P.call? {I can not
        sleep|I am still awake}.] $P.Name came in {with a little light|and sat on the bed}. [P:kind> {What are
        you thinking about|Is something wrong|What do you need}?] {$H thought.|$H looked around the room.}
        [H:sad> {I miss my $O|I do not know where my $O is|My $O is not here}.]

        So they looked for $O.the. {It was not under the bed. It was not on the chair.|They looked in the box
        and under the table.} {Then $P laughed.|Then $H saw something $O.adj.} There it was, {behind the
        pillow|under the blanket|by the window}! [H:happy> {There you are|I found you|My $O}!] $H {held it
        tight|hugged it} and lay down again.

        $P.Name {sang a soft song|told a story about the stars|stayed until it was quiet}. {Outside, the wind
        was quiet.|The moon smiled through the window.|One by one, the stars came out.} $H's eyes became
        heavy. [H> {Good night, $P.call|Good night, moon|Good night, stars}.] And {before the song was
        over|before $P could say another word|a moment later}, $H was fast asleep.
    """


def tidy_up(s):
    s.cast(("kid",))
    s.subject = s.find(words.TOYS)
    s.find(words.TREASURES, "O2")
    return s.alone(named=True) + """
        $H's room was {a big mess|a mess}. There were {socks|books|blocks} on the bed and
        {toys|clothes|papers} on the floor. [P> {Please clean up your room|It is time to clean your room},
        $H.] [H:angry> {I do not want to|But it is boring|No! I want to play}!]

        $W$H wanted to play with $O.the. {$H looked on the shelf. It was not there.|$H looked for it
        everywhere.} {It was not in the box.|It was not under the chair.} [H:sad> {Where is my $O?|I can not
        find my $O.}] [P:kind> {In this mess, nobody can find anything|Maybe it is under all these things|If
        you clean up, you may find it}.]

        {$H sighed and began.|So $H started to clean up.} {First came the books, and then the blocks.|One
        thing after the other went into the box.} {Then $H made a game of it.|$F came to help, and they made
        it a game.} [H> {The floor is a lake, and we must save the toys!|How fast can we be?}] {It was more
        fun than $H thought.|Soon they were laughing.} And what was that, under the bed? It was $O2.a that $H
        had lost long ago! And next to it was $O.the!

        [H:happy> {I found it! I found it|Look what I found}!] {The room was clean and bright.|Now there was a
        lot of room to play.} [P:proud> {Well done|What a nice clean room|I am proud of you}!] {$H played with
        $O.the all {day|evening}.|$H and $F played there until dinner.} {$H learned that it is easy to find
        things when they are in the right place.|After that, $H cleaned up every evening.|From then on,
        everything had its own place.}
    """


def lost_dog(s):
    s.cast(("kid",))
    pet = s.pick(["dog", "cat", "puppy", "kitten", "parrot", "bunny", "pony"])
    s.subject = pet
    s.helper()
    s.put(Pet=pet, PetName=s.pick(words.PET_NAMES), Color=s.pick(["brown", "white", "black", "gray",
          "spotted"]))
    return s.alone() + """
        {$H wanted a pet more than anything.|What $H wanted most was a $Pet.|$H dreamed of having a $Pet.} But
        $P always said, "{A pet is a lot of work|Maybe when you are older|We have to wait}." $W$H {found|saw}
        a little $Color $Pet {$S1|near the gate|by the road}. It was {cold and hungry|wet and alone|shaking}.

        [H:kind> {Hello, little one. Are you lost|Where do you live|Do not be afraid. Are you hungry}?] {$H
        took the $Pet home and gave it food and water.|$H put the $Pet in a warm blanket and gave it milk.}
        [H> Can we keep it, $P.call? {Please|I will take good care of it}!] [P:kind> {Somebody may be looking
        for it|It may have a home|First we must find out where it lives}.] {$H was sad, but $H.they knew that
        it was right.|So $H drew a sign with a picture of the $Pet.}

        {The next day|Two days later}, there was a knock at the door. There stood $X. [Y:happy> {That is my
        $PetName|$PetName! There you are|You found my $PetName}! I looked for you everywhere!] The $Pet {ran
        to|jumped up at} $Y. {$H wanted to cry, but $H.they smiled.|$H had tears in $H.their eyes.} [H:sad>
        {Goodbye, $PetName|I will miss you, $PetName}.]

        $Y.Name {looked at $H|saw how sad $H was}. [Y:kind> {You took such good care of $PetName|You have a
        good heart}. {Would you like to visit us every day?|Soon there will be babies. One can be yours!|Will
        you help me walk every morning?}] [H:happy> {Oh yes|I would love that}! Can I, $P.call?] [P:happy> {Of
        course|Yes, you can}!] {And so $H had a new friend, and $PetName had two homes.|$H jumped for joy and
        hugged $PetName.|From that day on, $H and $PetName played together every afternoon.}
    """


def pet_mischief(s):
    s.cast(("kid",))
    pet = s.pick(["dog", "cat", "puppy", "kitten", "parrot", "goat"])
    things = s.rng.sample(["sock", "shoe", "spoon", "hat", "glove", "brush", "key", "pencil"], 3)
    spot = s.pick(["under the bed", "in the dog house", "behind the sofa", "in a big basket",
                  "under the stairs"])
    s.subject = pet + things[0]
    why = s.pick([
        ("a soft nest for a tiny lost bird", "was only being kind"),
        ("a bed for three new babies", "was going to be a mother"),
        ("a big pile to sleep on", "only wanted to smell them all close by"),
        ("a present for $H, with a ribbon on top", "wanted to say thank you"),
    ])
    s.put(Pet=pet, PetName=s.pick(words.PET_NAMES), T1=things[0], T2=things[1], T3=things[2], Spot=spot,
          Nest=why[0].replace("$H", s.slots["H"][""]), Why=why[1])
    return s.alone() + """
        {$H had a $Pet named $PetName.|$H's best friend was a $Pet named $PetName.} {They went everywhere
        together.|They played every day.|$PetName slept at the end of $H's bed.} $W$P could not find a $T1.
        [P> {Where is my $T1|Who took my $T1}?] [H> {I do not know|It was not me}.]

        {The next day|Later}, a $T2 was gone. And then a $T3! {Everyone looked all over the house.|They looked
        in every room.} {[P:angry> This is very strange!]|[P> Is there a thief in the house?]} {$H wanted to
        find out.|$H had a plan.} That night, $H {did not sleep|hid behind a chair}. And what did $H see? It
        was $PetName, {on its toes, very quiet}!

        $H {followed $PetName|went after $PetName without a sound}. $PetName went to a place $Spot. {There was
        the $T1, and the $T2, and the $T3!|There were all the lost things!} $PetName had made $Nest. {$H had
        to laugh.|$H was so surprised.} [H:happy> {So it was you, $PetName|You are the thief}!] $PetName $Why.

        $H called $P, and $P.they {laughed too|was not angry at all}. [P:kind> {What a clever $Pet|Now I
        understand|$PetName can keep the $T1}.] {They gave $PetName an old blanket and took back the other
        things.|They gave $PetName a soft pillow.} {$PetName made a happy sound.|$H hugged $PetName tight.}
        {And when something was lost, everybody knew where to look.|From then on, nothing was ever lost again.
        Almost nothing!}
    """


def lost_tooth(s):
    s.cast(("kid",))
    way = s.pick([
        ("bit into a big apple", "apple"),
        ("laughed at a joke", "joke"),
        ("ate a piece of bread", "bread"),
        ("jumped off the bed", "jump"),
        ("sneezed", "sneeze"),
        ("sang a very high note", "song"),
    ])
    s.subject = way[1]
    s.find(words.TREASURES)
    s.put(Way=way[0])
    return s.alone(named=True) + """
        $H had a loose tooth. {It moved to the left and it moved to the right.|$H pushed it with $H.their
        tongue all day.} [H:scared> {Will it hurt when it comes out?|I am afraid that it will hurt.}] [P:kind>
        {Not much. It comes out when it is ready|It will be over before you know it}. {Then you put it under
        your pillow|A new one will come}.]

        $W$H $Way. {Pop! Out came the tooth.|Then something felt strange. The tooth was out!} [H:happy> {It
        did not hurt at all|My tooth! It is out}!] $H {ran to show it to $F|jumped up and down}. But {in the
        grass|on the way}, $H fell, and the little tooth was gone. {They looked and looked.|$F looked on the
        ground with $H.} [H:sad> {Now I have nothing to put under my pillow|It is too small to find}!]

        [P:kind> {I know what to do|Do not be sad}. {You can write a letter|We will write a note}.] So $H
        wrote, with big letters: "{Dear tooth fairy, I lost my tooth|My tooth fell out and I lost it. Please
        believe me}. Love, $H." {$H put the letter under the pillow.|The letter went under the pillow.} {It
        was hard to sleep.|$H wanted to stay awake, but soon $H.they was asleep.}

        In the morning, $H looked under the pillow. There was $O.a! And there was a tiny note. It said, "{I
        found your tooth in the grass|I believe you}. {You were very brave|What a fine tooth}!" [H:happy>
        {Look! Look what I have|The tooth fairy was here}!] {$P.Name smiled.|$F could not believe it.} {$H
        smiled too, and everyone could see the hole.|And $H could not wait for the next tooth to come out.}
    """
