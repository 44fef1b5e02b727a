"""The words the sandbox knows, English and French, each under the one name that the drawing side uses.

A word is written without accents; an underscore joins the words of a phrase. Plurals are found by rule.
"""

SUBJECTS = {
    "fox": "fox renard renarde vixen",
    "wolf": "wolf wolves loup louve",
    "dog": "dog puppy hound chien chienne chiot",
    "cat": "cat kitten chat chatte chaton",
    "horse": "horse stallion mare pony cheval chevaux jument poney unicorn licorne",
    "deer": "deer stag elk moose reindeer cerf biche renne elan",
    "bear": "bear ours ourse",
    "lion": "lion lioness tiger panther leopard lionne tigre panthere",
    "elephant": "elephant mammoth mammouth",
    "rabbit": "rabbit hare bunny lapin lievre",
    "cow": "cow bull buffalo bison vache taureau",
    "sheep": "sheep lamb goat mouton agneau chevre",
    "camel": "camel dromedary chameau dromadaire caravan caravane",
    "bird": "bird swallow crow raven gull seagull swan crane heron goose geese duck flock oiseau corbeau "
    "mouette cygne grue hirondelle oie canard",
    "eagle": "eagle hawk falcon phoenix aigle faucon buse owl hibou chouette",
    "butterfly": "butterfly butterflies moth papillon",
    "whale": "whale orca humpback baleine orque cachalot",
    "dolphin": "dolphin dauphin shark requin",
    "fish": "fish salmon koi goldfish poisson carpe shoal",
    "jellyfish": "jellyfish medusa meduse octopus pieuvre",
    "turtle": "turtle tortoise tortue",
    "dragon": "dragon wyvern griffin",
    "robot": "robot android mech automaton droid",
    "astronaut": "astronaut cosmonaut spaceman spacewoman astronaute cosmonaute spationaute",
    "knight": "knight samurai warrior chevalier guerrier",
    "child": "child kid boy girl toddler children enfant garcon fille fillette gamin",
    "dancer": "dancer ballerina dancing danseuse danseur ballerine",
    "couple": "couple lovers newlyweds amoureux amants",
    "person": "person man woman traveler traveller wanderer figure hiker monk wizard witch detective people "
    "lady guy stranger pilgrim fisherman sailor queen king princess homme femme voyageur voyageuse "
    "marcheur sorcier sorciere moine inconnu roi reine princesse pecheur walker someone",
    "cyclist": "bicycle bike cyclist velo cycliste bicyclette",
    "ship": "ship galleon schooner pirate_ship tall_ship frigate navire voilier bateau_pirate sailing_ship caravel",
    "boat": "boat rowboat canoe kayak gondola raft barque bateau barge canot pirogue",
    "train": "train locomotive railway tram tramway express",
    "car": "car automobile taxi truck van voiture camion roadster convertible",
    "plane": "plane airplane aeroplane aircraft jet biplane avion",
    "balloon": "hot_air_balloon balloon montgolfiere ballon airship zeppelin",
    "rocket": "rocket spaceship spacecraft fusee starship vaisseau",
    "lighthouse": "lighthouse phare beacon",
    "eiffel": "paris eiffel eiffel_tower tour_eiffel",
    "windmill": "windmill moulin eolienne",
    "castle": "castle fortress palace chateau forteresse palais",
    "cabin": "cabin cottage house hut home barn farmhouse cabane maison chalet chaumiere",
    "lantern": "lantern lanterns candle lanterne bougie lampion",
    "tent": "tent campfire campsite tente feu_de_camp",
    "flower": "flower rose tulip poppy sunflower lotus fleur coquelicot tournesol",
    "tree": "tree oak willow baobab arbre chene saule cherry_tree cerisier",
    "ufo": "ufo flying_saucer alien soucoupe",
}

PLACES = {
    "frozen": "frozen_lake frozen_sea frozen_river ice glacier iceberg arctic antarctic banquise lac_gele tundra",
    "lake": "lake pond river fjord lac etang riviere fleuve loch",
    "sea": "sea ocean coast shore beach bay harbor harbour waves wave mer plage cote rivage vague port tide",
    "underwater": "underwater undersea deep_sea reef coral seabed sous_marin sous_l_eau recif corail abysses "
    "sous_la_mer under_the_sea",
    "forest": "forest wood woods jungle pine pines foret bois sapin grove taiga",
    "mars": "mars martian red_desert red_planet desert_rouge planete_rouge red_sand red_dunes",
    "desert": "desert dune dunes sahara sand sable canyon",
    "mountains": "mountain mountains alps peak summit himalaya valley cliff montagne sommet alpes vallee "
    "falaise volcano "
    "volcan everest",
    "rooftops": "roof rooftop rooftops toit toits paris",
    "street": "street alley avenue boulevard rue ruelle road neon crossing",
    "city": "city skyline downtown town skyscraper metropolis tokyo london new_york manhattan hong_kong shanghai ville "
    "gratte_ciel metropole futuristic cyberpunk village",
    "space": "space galaxy nebula cosmos orbit planet universe saturn milky_way espace galaxie nebuleuse "
    "planete univers "
    "voie_lactee asteroid",
    "clouds": "sky above_the_clouds sea_of_clouds heaven ciel nuages",
    "island": "island ile tropical palm palms lagoon atoll palmier",
    "meadow": "meadow field prairie grass hill hills countryside steppe savanna savannah garden park farm "
    "vineyard pre champ "
    "colline campagne savane jardin parc lavender lavande wheat ble",
    "moon": "on_the_moon lunar moonscape surface_of_the_moon lune_surface sur_la_lune",
}

TIMES = {
    "dawn": "dawn daybreak sunrise aube aurore lever_de_soleil lever_du_soleil first_light",
    "morning": "morning matin matinee",
    "day": "noon midday day daylight afternoon sunny midi jour journee apres_midi blue_sky",
    "golden": "golden_hour golden late_afternoon heure_doree doree dore",
    "sunset": "sunset sundown coucher_de_soleil coucher_du_soleil soleil_couchant",
    "dusk": "dusk twilight evening blue_hour crepuscule soir soiree heure_bleue",
    "night": "night midnight moonlight moonlit moon starry stars star nuit minuit lune etoile etoiles nocturne "
    "nighttime",
    "aurora": "northern_lights aurora aurora_borealis aurore_boreale aurores_boreales southern_lights",
}

WEATHERS = {
    "storm": "storm stormy thunder thunderstorm lightning tempest hurricane tempete orage eclair foudre",
    "rain": "rain rainy raining drizzle pluie pluvieux wet averse monsoon",
    "snow": "snow snowy snowing blizzard snowfall neige enneige enneigee flocon snowstorm frost",
    "fog": "fog foggy mist misty haze hazy brouillard brume brumeux smoke fumee",
    "clouds": "cloudy clouds overcast nuageux",
    "wind": "wind windy breeze vent",
    "clear": "clear cloudless degage",
}

SEASONS = {
    "winter": "winter wintry hiver snow snowy ice frozen neige christmas noel",
    "spring": "spring blossom blossoms cherry printemps bloom blooming",
    "summer": "summer ete tropical",
    "autumn": "autumn fall_leaves autumnal automne october foliage falling_leaves in_the_fall",
}

MOODS = {
    "dramatic": "dramatic epic dark storm battle fierce raging epique sombre dramatique",
    "serene": "calm peaceful serene quiet gentle tranquil calme paisible tranquille doux dream dreamy reve",
    "lonely": "lonely alone lone solitary seul seule solitaire lost perdu melancholy sad triste",
    "joyful": "happy joyful playful joyeux heureux fun party fete",
    "mysterious": "mysterious magic magical mystic ancient secret mysterieux magique enchanted enchante",
    "romantic": "love romantic kiss amour romantique heart coeur",
}

STYLES = {
    "noir": "noir black_and_white monochrome noir_et_blanc film_noir",
    "neon": "neon cyberpunk synthwave vaporwave retrowave neons",
    "pastel": "pastel watercolor watercolour ghibli anime storybook aquarelle",
    "vintage": "vintage retro sepia old_film 1950s 1970s",
}

# fmt: off
# Scripts without spaces, or with letters this table does not fold: looked for as they stand, inside the prompt.
SIGNS = {
    "狐": "fox", "猫": "cat", "犬": "dog", "狗": "dog", "马": "horse", "馬": "horse", "鹿": "deer", "狼": "wolf",
    "鸟": "bird", "鳥": "bird", "鯨": "whale", "鲸": "whale", "龍": "dragon", "龙": "dragon", "竜": "dragon",
    "魚": "fish", "鱼": "fish", "船": "ship", "城": "castle", "木": "tree", "树": "tree", "人": "person",
    "山": "mountains", "海": "sea", "湖": "lake", "森": "forest", "林": "forest", "沙漠": "desert",
    "砂漠": "desert", "宇宙": "space", "街": "street", "島": "island", "夜": "night", "月": "night", "星": "night",
    "雨": "rain", "雪": "snow", "雾": "fog", "霧": "fog", "曇": "clouds",
    "ثعلب": "fox", "قطة": "cat", "حصان": "horse", "بحر": "sea", "جبل": "mountains", "صحراء": "desert",
    "ليل": "night", "سفينة": "ship", "שועל": "fox", "חתול": "cat", "סוס": "horse", "ים": "sea", "הר": "mountains",  # noqa: RUF001
    "מדבר": "desert", "לילה": "night", "лиса": "fox", "кот": "cat", "море": "sea", "горы": "mountains", "ночь": "night",
    "снег": "snow", "лес": "forest", "кит": "whale",
}

# Where a subject is at home when the prompt names no place.
HOMES = {
    "fox": "frozen forest meadow", "wolf": "forest mountains frozen", "dog": "meadow sea", "cat": "rooftops street",
    "horse": "meadow desert mountains", "deer": "forest lake meadow", "bear": "forest mountains lake",
    "lion": "meadow desert", "elephant": "meadow lake", "rabbit": "meadow forest", "cow": "meadow", "sheep": "meadow",
    "camel": "desert", "bird": "lake sea clouds", "eagle": "mountains clouds", "butterfly": "meadow", "whale": "sea",
    "dolphin": "sea", "fish": "underwater", "jellyfish": "underwater", "turtle": "underwater",
    "dragon": "mountains", "robot": "city desert", "astronaut": "moon desert space", "knight": "mountains meadow",
    "child": "meadow lake", "dancer": "lake street", "couple": "meadow sea lake", "person": "mountains lake meadow sea",
    "cyclist": "meadow sea", "ship": "sea", "boat": "lake sea", "train": "mountains meadow lake",
    "car": "street desert",
    "plane": "clouds mountains", "balloon": "mountains meadow lake", "rocket": "space desert", "lighthouse": "sea",
    "windmill": "meadow", "castle": "mountains lake", "cabin": "forest mountains lake", "lantern": "lake",
    "tent": "mountains lake forest", "flower": "meadow", "tree": "meadow lake", "ufo": "meadow desert",
}
