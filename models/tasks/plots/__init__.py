"""The plots: each fills a story's slots and returns its text as a template, an empty line between paragraphs.

Every plot runs from a beginning over a trouble and its turning to an ending, and
later sentences use what earlier ones set up (the thing lost is the thing found).
"""

from . import friends, home, outdoors, tales

# A seed picks plots by their place in this list, so new ones go to its end.
PLOTS = [
    outdoors.lost_thing, friends.share_toy, outdoors.rescue, home.fear, home.broken, home.cooking,
    friends.new_friend, home.warning, tales.small_hero, tales.wish, outdoors.build, outdoors.rainy_day,
    friends.present, friends.race, outdoors.skill, outdoors.treasure, friends.greedy, outdoors.garden,
    friends.cry_wolf, outdoors.way_home, home.noise, tales.castle, friends.sick_friend, home.new_baby,
    home.bedtime, outdoors.snow_day, home.tidy_up, friends.trade, outdoors.balloon_away, home.lost_dog,
    outdoors.boat_trip, outdoors.food_thief, friends.bully, tales.fallen_star, outdoors.train_ride,
    tales.dragon_fire, outdoors.escaped, tales.different, outdoors.day_out, home.pet_mischief,
    tales.big_turnip, friends.hide_and_seek, friends.quarrel, tales.band, tales.thirsty_bird,
    tales.bridge_meeting, home.lost_tooth, tales.web,
]
