"""The lexicon of the story task: who, what and where, with the facts plots rely on."""

GIRLS = """Lily Mia Anna Lucy Emma Zoe Sue Sara Ella Amy Rose Kate Nina Ruby Jane Molly Grace Ivy
Chloe Maya Sophie Lola Clara Eva Hannah Daisy Nora Alice Julia Bella Mary Jenny""".split()
BOYS = """Tom Ben Tim Max Sam Jack Leo Finn Jim Bob Dan Noah Luke Adam Oscar Peter Billy Theo Eli
Henry Charlie Hugo Omar Ravi Nick George Toby Will Alex Danny John Mark""".split()
PET_NAMES = """Spot Fluffy Coco Buddy Pip Rusty Sunny Hazel Pepper Poppy Biscuit Olive Clover Benny
Bubbles Nibbles Whiskers Dot Ginger Milo Luna Honey Snowy Teddy Patch Bouncy""".split()

# kind, home, food, how it moves
ANIMALS = [row.split(",") for row in """fox,a cozy den,berries,ran
rabbit,a hole under a big tree,carrots,hopped
bear,a warm cave,honey,walked
mouse,a tiny house in the wall,cheese,ran
squirrel,a tall oak tree,nuts,jumped
frog,a green pond,flies,hopped
duck,a blue lake,bread,swam
cat,a cozy house,fish,walked
dog,a house with a yard,bones,ran
hedgehog,a pile of leaves,apples,walked
owl,an old tree,seeds,flew
turtle,a quiet pond,leaves,walked
pig,a pen on the farm,corn,ran
lamb,a barn on a green farm,grass,jumped
elephant,the jungle,bananas,walked
monkey,the jungle,bananas,swung
lion,the jungle,meat,ran
bird,a nest in a tall tree,worms,flew
bee,a busy hive,honey,flew
deer,the forest,leaves,ran
penguin,the cold snow,fish,walked
dragon,a big cave on a hill,toast,flew
kitten,a warm basket,milk,ran
puppy,a red dog house,bones,ran
horse,a big barn,hay,ran
goat,a green hill,grass,jumped""".split("\n")]

TOYS = [row.split(",") for row in """ball,red,blue,big,bouncy,green
kite,red,yellow,blue,colorful
doll,pretty,small,pink,lovely
teddy bear,soft,brown,old,fluffy
toy car,fast,red,shiny,blue
toy train,blue,long,shiny,green
robot,silver,funny,little,shiny
drum,loud,round,red,new
toy boat,white,little,blue,wooden
puzzle,big,hard,new,colorful
scarf,warm,long,purple,striped
hat,blue,yellow,funny,straw
balloon,red,purple,big,shiny
toy truck,big,yellow,orange,strong
book,thick,old,new,pretty
blanket,soft,pink,warm,blue
whistle,shiny,loud,silver
bike,new,red,green,shiny
crayon,green,purple,orange
toy airplane,white,fast,little
bucket,yellow,red,blue,small
spinning top,golden,red,wooden
music box,pretty,old,little
jump rope,long,pink,new
backpack,blue,green,big""".split("\n")]

TREASURES = [row.split(",") for row in """shell,pretty,white,pink,shiny
stone,smooth,round,shiny,blue
key,golden,old,tiny,rusty
coin,gold,shiny,old,silver
ring,gold,shiny,tiny,pretty
feather,long,white,blue,soft
button,red,round,shiny,big
acorn,golden,big,round,perfect
flower,yellow,red,lovely,purple
leaf,golden,big,red,orange
marble,green,blue,shiny,glass
bell,silver,little,golden,shiny
crown,golden,sparkly,tiny
necklace,pretty,sparkly,blue
lamp,old,dusty,golden""".split("\n")]

SWEETS = """cookie cake pie cupcake muffin pancake sandwich candy donut apple pear peach plum banana
orange strawberry cherry carrot waffle""".split()
DISHES = [
    ("a cake", "flour", "eggs"),
    ("an apple pie", "apples", "butter"),
    ("some cookies", "sugar", "flour"),
    ("a pot of soup", "carrots", "salt"),
    ("some pancakes", "milk", "eggs"),
    ("a pizza", "cheese", "tomatoes"),
    ("some bread", "flour", "milk"),
    ("a big salad", "tomatoes", "corn"),
    ("some muffins", "berries", "eggs"),
    ("a berry pie", "berries", "sugar"),
]

# name, preposition, who lives there ("kid", "wild" or "both"), spots where things hide
PLACES = [tuple(row.split(";")) for row in """the park;in;both;under the bench,behind the slide,near the pond,in the tall grass
the forest;in;both;behind a rock,under a bush,in a pile of leaves,next to a log
the beach;at;both;in the sand,behind a rock,under a blanket,near the water
the garden;in;both;under a bush,behind the flowers,near the gate,in the tall grass
the farm;on;both;behind the barn,in the hay,under the cart,near the fence
the lake;at;both;near the water,under an old boat,behind a tree,in the tall grass
the river;by;both;under the bridge,behind a rock,near the water,in the mud
the meadow;in;both;in the tall grass,behind a rock,under a daisy,near a tree
the hill;on;both;behind a tree,in the tall grass,under a rock,next to a bush
the playground;at;kid;under the slide,behind the swings,in the sandbox,near the fence
the yard;in;kid;behind the shed,under a tree,in the tall grass,near the gate
the zoo;at;kid;under a bench,near the gate,behind a sign,next to the fence
the school;at;kid;under a desk,behind the door,on a shelf,in a box
the library;at;kid;under a table,behind the books,on a shelf,near the door
the market;at;kid;under a cart,behind a box,near the apples,next to a basket
the jungle;in;wild;behind a vine,under a big leaf,near a rock,in a hollow log
the pond;by;wild;under a lily pad,behind a rock,in the mud,near the water
the field;in;wild;in the tall grass,behind a rock,near the fence,under a bush""".split("\n")]

KID_HOBBIES = """paint pictures;sing songs;dance;run fast;read books;play with blocks;climb trees;
look at the stars;ride a bike;play outside;draw animals;jump in puddles;bake with Grandma;play games;
build towers;pick flowers;feed the ducks;play hide and seek;tell jokes;collect rocks;listen to stories;
play the drum;help in the garden;swim;explore;make new friends;dress up;watch the clouds""".replace("\n", "").split(";")
WILD_HOBBIES = """play in the sun;roll in the grass;sing songs;look at the stars;play with friends;
chase butterflies;splash in the water;explore;collect shiny things;sleep in the sun;tell stories;
play hide and seek;climb rocks;dance in the rain;smell the flowers;make new friends;
watch the clouds;run in the wind;look for food;listen to the birds""".replace("\n", "").split(";")

TRAITS = "little;small;young;happy;kind;brave;clever;funny;quiet;curious;cheerful;gentle;sweet;smart".split(";")

WEATHER = {
    "sunny": ["The sun was shining and the sky was blue.", "The sun was warm and bright.",
              "Birds were singing in the trees.", "There was not one cloud in the sky."],
    "warm": ["The air smelled like flowers.", "Butterflies flew all around.", "The grass was soft and green."],
    "cold": ["The ground was white with snow.", "The wind was icy.", "Everyone wore warm coats."],
    "windy": ["The wind blew the leaves all around.", "The trees were dancing in the wind.",
              "The clouds moved fast across the sky."],
    "cloudy": ["Gray clouds filled the sky.", "It looked like it might rain.",
               "The sun was hiding behind the clouds."],
    "quiet": ["Everything was still.", "Only a little bird was singing.", "A soft wind was in the trees."],
    "bright": ["The sky was clear and blue.", "The flowers were open and the bees were busy.",
               "The sun made everything shine."],
}
TIMES = ["morning", "day", "afternoon"]

FEARS = [  # what it is, what it looked like, how one gets used to it
    ("the dark", "The room was so black", "turn on a little light"),
    ("thunder", "The sky made a loud boom", "count to ten after each boom"),
    ("the water", "The water looked so deep", "put in just one toe"),
    ("the big slide", "The slide looked so high", "go down together"),
    ("dogs", "The dog had such big teeth", "let it smell your hand"),
    ("high places", "The ground looked so far away", "hold on tight and look up"),
    ("bugs", "The bug had so many legs", "look at it through a glass"),
    ("the first day of school", "There were so many new faces", "say hello to just one person"),
    ("singing for people", "So many eyes were looking", "look at one friend and sing"),
    ("the doctor", "The room was so white", "hold my hand and take a deep breath"),
]

SKILLS = [  # the skill, what goes wrong, what success looks like
    ("ride a bike", "fell on the grass", "rode all the way down the street"),
    ("swim", "got water in {their} nose", "swam all the way across the pool"),
    ("whistle", "made only a funny puff of air", "whistled a whole song"),
    ("fly a kite", "watched the kite crash to the ground", "watched the kite dance high in the sky"),
    ("skip rope", "got tangled in the rope", "jumped ten times in a row"),
    ("draw a horse", "drew something that looked like a potato", "drew a horse that looked almost real"),
    ("tie {their} shoes", "made a big messy knot", "tied a perfect bow"),
    ("catch a ball", "dropped the ball again", "caught the ball with both hands"),
    ("skate", "slipped and sat down hard", "went around and around without falling"),
    ("play the drum", "made a terrible noise", "played a happy beat"),
    ("do a cartwheel", "rolled over like a log", "did a perfect cartwheel"),
    ("read", "mixed up all the letters", "read a whole page"),
]
WILD_SKILLS = [
    ("jump over the stream", "fell into the water with a splash", "landed on the other side"),
    ("climb the tall tree", "slid all the way down", "sat on the very top branch"),
    ("swim", "got water in {their} nose", "swam all the way across the pond"),
    ("find food", "found only an old stick", "found a big pile of nuts"),
    ("sing", "made a funny squeak", "sang a lovely song"),
    ("dance", "tripped and rolled over", "danced around and around"),
    ("hide", "forgot to hide {their} tail", "hid so well that nobody could see"),
    ("run fast", "tripped over a root", "ran as fast as the wind"),
]

TRAPPED = [  # who is in trouble, how, with what one helps
    ("kitten", "stuck high up in a tree", "a tall ladder", "climbed up and carried the kitten down"),
    ("little bird", "lying on the grass with a hurt wing", "a small box with soft cloth",
     "put the bird in the box and kept it warm"),
    ("puppy", "stuck in a deep hole", "a long rope", "pulled the puppy up, bit by bit"),
    ("turtle", "lying on its back", "a strong stick", "pushed and pushed until the turtle rolled over"),
    ("butterfly", "caught in a sticky web", "a thin twig", "broke the web and set the butterfly free"),
    ("duckling", "lost and crying for its mother", "some bread crumbs", "led the duckling back to the pond"),
    ("bunny", "caught in a thorny bush", "a pair of thick gloves",
     "opened the branches so the bunny could hop out"),
    ("fish", "lying in a tiny puddle", "a bucket of water", "carried the fish back to the river"),
    ("lamb", "caught in the fence", "a pair of pliers", "bent the wire and set the lamb free"),
    ("hedgehog", "stuck in a tin can", "some warm soap and water", "made the can slippery and pulled it off"),
    ("bee", "fallen into a cup of water", "a big leaf", "let the bee climb onto the leaf to dry"),
    ("frog", "trapped under a heavy pot", "two strong hands", "lifted the pot and let the frog jump out"),
]

BUILDS = [  # what, from what, how it fails, how it is made strong
    ("a tall tower", "blocks", "The tower fell down with a crash", "put the biggest blocks at the bottom"),
    ("a sand castle", "wet sand", "A wave came and washed it away", "built it far away from the water"),
    ("a tree house", "old boards", "One board broke and fell down", "used longer nails and stronger boards"),
    ("a little boat", "sticks and leaves", "The boat sank to the bottom", "filled all the holes with mud"),
    ("a snowman", "snow", "The head rolled off and broke", "made the bottom bigger and the head smaller"),
    ("a bird house", "wood", "The roof fell off", "used more glue and waited for it to dry"),
    ("a fort", "pillows and blankets", "The roof fell on their heads", "tied the blanket to two chairs"),
    ("a small bridge", "stones", "The bridge fell into the water", "put one flat stone on top of the others"),
    ("a kite", "paper and string", "The paper tore in the wind", "used strong tape and a longer tail"),
    ("a cart", "a box and four wheels", "A wheel came off", "held the wheels with strong pins"),
]

BREAKABLES = "vase;cup;plate;lamp;bowl;window;teapot;mirror;clock;flower pot;jar;picture".split(";")

WARNINGS = [  # the rule, the deed, the result, the lesson
    ("go near the deep water", "went to the edge of the water", "slipped and fell in with a big splash",
     "stay away from deep water"),
    ("touch the hot stove", "put one finger on the stove", "felt a sharp pain", "be careful with hot things"),
    ("eat the red berries", "ate a handful of red berries", "got a terrible tummy ache",
     "never eat strange berries"),
    ("climb the old wall", "climbed up the old wall", "fell and hurt one knee", "stay off old walls"),
    ("walk off alone", "walked off to chase a butterfly", "could not find the way back",
     "stay close to the others"),
    ("play with the matches", "took one match out of the box", "burned a little hole in the rug",
     "never play with fire"),
    ("pull the cat's tail", "pulled the cat's tail", "got a long scratch", "be gentle with animals"),
    ("open the gate", "opened the gate", "saw all the sheep run out", "keep the gate closed"),
    ("run on the ice", "ran out onto the ice", "slipped and landed hard", "walk slowly on the ice"),
    ("poke the bee hive", "poked the hive with a stick", "got stung on the nose", "leave the bees alone"),
    ("stay out in the rain", "stayed out in the rain to splash", "woke up with a bad cold",
     "come inside when it rains"),
    ("swing too high", "went higher and higher on the swing", "fell off into the mud", "hold on and go slow"),
]

GIFTS = [
    "a card with a big heart",
    "a necklace made of shells",
    "a picture of the two of them",
    "a crown made of flowers",
    "a little song",
    "a soft pillow",
    "a bracelet made of beads",
    "a paper star",
    "a clay cup",
    "a scarf made of red wool",
]

NOISES = [
    ("under the bed", "a soft scratching sound", "a tiny kitten"),
    ("in the closet", "a loud bump", "a box of toys that had tipped over"),
    ("in the dark cave", "a low growl", "a baby bear with a thorn in its paw"),
    ("behind the bush", "a funny rustle", "a little hedgehog"),
    ("in the old house", "a sad howl", "a lonely puppy"),
    ("outside the window", "a tap, tap, tap", "a branch that moved in the wind"),
    ("in the attic", "a quiet squeak", "a family of mice"),
    ("inside the hollow tree", "a deep hoot", "a sleepy owl"),
    ("in the barn", "a strange hiss", "a goose on her eggs"),
    ("behind the door", "a heavy thump", "Grandpa with a big present"),
]

SEEDS = [
    ("a tiny seed", "a tall sunflower"),
    ("a small bean", "a long green bean plant"),
    ("a black seed", "a huge watermelon"),
    ("a little acorn", "a small oak tree"),
    ("a round seed", "a big orange pumpkin"),
    ("a flat seed", "a sweet red tomato"),
    ("a brown bulb", "a red tulip"),
    ("a little seed", "a bush full of roses"),
]

HELPERS = [
    ("an old man", "he"),
    ("an old woman", "she"),
    ("a kind farmer", "he"),
    ("a friendly baker", "he"),
    ("a police officer", "she"),
    ("a tall girl", "she"),
    ("a mail carrier", "he"),
    ("a gardener", "she"),
    ("a fisherman", "he"),
    ("a nurse", "she"),
]

SIGHTS = {  # what one does and sees there: a day out strings some of these together
    "the park": ["went on the swings", "fed the ducks", "slid down the big slide", "ran after the pigeons",
                 "had ice cream", "rolled down a grassy hill"],
    "the forest": ["picked sweet berries", "listened to the birds", "jumped over a log",
                   "saw a deer with big brown eyes", "found mushrooms like little houses",
                   "climbed a low tree"],
    "the beach": ["built a castle of sand", "jumped over the waves", "looked for shells",
                  "saw a crab that walked sideways", "dug a hole down to the water", "watched the boats"],
    "the garden": ["smelled the roses", "watched the bees", "pulled up a carrot", "chased a butterfly",
                   "gave water to the flowers", "found a snail on a leaf"],
    "the farm": ["fed the hens", "petted a soft lamb", "sat on the tractor", "jumped into the hay",
                 "saw a cow with her calf", "looked for eggs"],
    "the lake": ["threw stones into the water", "saw a big fish jump", "floated on a log",
                 "watched the swans", "put their feet in the water", "caught a frog and let it go"],
    "the river": ["let leaves swim like boats", "crossed the water on big stones",
                  "saw a beaver with a stick", "splashed each other", "looked for round stones",
                  "stood on the bridge"],
    "the meadow": ["picked daisies", "lay in the grass and looked at the clouds", "saw a rabbit run by",
                   "made crowns of flowers", "listened to the crickets", "played tag"],
    "the hill": ["ran to the top", "flew a paper bird", "looked down at the tiny houses",
                 "rolled all the way down", "saw an eagle", "shouted to hear the echo"],
    "the playground": ["went on the swings", "climbed to the top of the ropes",
                       "went down the slide ten times", "dug in the sandbox",
                       "spun around until they were dizzy", "played tag"],
    "the yard": ["jumped rope", "looked for worms", "played ball", "made a tent from a sheet",
                 "drew on the ground with chalk", "ran through the water"],
    "the zoo": ["saw a tall giraffe", "laughed at the monkeys", "watched the penguins swim",
                "heard the lion roar", "counted the stripes of a zebra", "saw an elephant take a bath"],
    "the school": ["painted with their fingers", "learned a new song", "counted to twenty",
                   "listened to a story", "played ball in the yard", "made paper stars"],
    "the library": ["found a book about whales", "read a story about a brave mouse",
                    "looked at pictures of stars", "sat in a soft chair", "whispered jokes",
                    "picked three books to take home"],
    "the market": ["tasted a sweet plum", "saw a mountain of oranges", "smelled fresh bread",
                   "listened to a man with a fiddle", "looked at the shiny fish",
                   "bought a bunch of flowers"],
    "the jungle": ["swung on a vine", "saw a parrot with red wings", "ate bananas", "hid under big leaves",
                   "listened to the monkeys", "drank from a waterfall"],
    "the pond": ["jumped from leaf to leaf", "counted the tadpoles", "saw a blue dragonfly",
                 "splashed with their feet", "listened to the frogs", "looked at their faces in the water"],
    "the field": ["ran through the tall corn", "found a mouse nest", "chased the wind",
                  "talked to a scarecrow", "picked red poppies", "played tag"],
}

MISHAPS = [  # a small trouble, what one says, how it ends
    ("{F} fell and hurt one knee", "Ouch! It hurts", "put a big leaf on it and blew on it three times"),
    ("it began to rain", "Oh no! We are getting wet",
     "ran under a big tree and told stories until it stopped"),
    ("{F} lost a shoe in the mud", "My shoe is gone",
     "dug in the mud with a stick until the shoe came out with a plop"),
    ("{F} got very hungry", "My tummy is making noises", "found one last apple and broke it in two"),
    ("a big goose ran after them", "Help! It wants to bite us", "stood very still until the goose went away"),
    ("{F} was stung by a bee", "It burns! It burns", "put cold water on it until it felt better"),
    ("they could not agree what to do next", "I want to do it my way",
     "threw a leaf into the air to see who could choose"),
    ("{F} got so tired that it was hard to walk", "I can not take one more step",
     "carried {F} on {their} back for a while"),
    ("{F} dropped the food on the ground", "Now we have nothing to eat", "gave {F} half of what was left"),
    ("the wind took {F}'s hat", "Come back, hat",
     "ran and jumped and caught it just before it fell in the water"),
]
