"""Kinds of receptacles and items: what each can do, and what may lie where.

Written by hand for this project. Names are the lower-case ones of the game's text.
"""

from __future__ import annotations

OPENABLE = frozenset({"cabinet", "drawer", "fridge", "microwave", "safe"})
"""Receptacle kinds with a door or a lid."""

SINK, MICROWAVE, FRIDGE = "sinkbasin", "microwave", "fridge"
"""The receptacle kinds that clean, heat and cool."""

LAMPS = frozenset({"desklamp"})
"""Item kinds that can be switched on; they stay where they stand."""

BLADES = frozenset({"knife", "butterknife"})
"""Item kinds that slice."""

CLEANABLE = frozenset(
    "apple bowl butterknife cloth cup dishsponge egg fork kettle knife ladle lettuce mug pan "
    "plate pot potato soapbar spatula spoon tomato".split()
)
HEATABLE = frozenset("apple bread cup egg mug plate potato tomato".split())
COOLABLE = frozenset(
    "apple bowl bread cup egg lettuce mug pan plate pot potato tomato winebottle".split()
)
SLICEABLE = frozenset("apple bread lettuce potato tomato".split())

TREATMENTS = {
    "clean": (SINK, CLEANABLE),
    "heat": (MICROWAVE, HEATABLE),
    "cool": (FRIDGE, COOLABLE),
}
"""Verb -> the receptacle kind that does it, and the item kinds it works on."""

_FOOD = "apple bread egg lettuce potato tomato"
_DISHES = "bowl cup mug plate"
_CUTLERY = "butterknife fork knife ladle spatula spoon"
_BOTTLES = "glassbottle soapbottle winebottle"
_SHAKERS = "peppershaker saltshaker"
_SMALL = "cd cellphone creditcard keychain pen pencil remotecontrol watch"
_PAPER = "book newspaper tissuebox"
_DECOR = "candle statue vase wateringcan"
_SPORT = "baseballbat basketball tennisracket"
_BATH = "cloth handtowel plunger scrubbrush soapbar soapbottle spraybottle toiletpaper"
_FLAT = f"{_SMALL} {_PAPER} {_DECOR} alarmclock box cloth laptop mug bowl plate cup"

HOLDS: dict[str, frozenset[str]] = {
    kind: frozenset(items.split())
    for kind, items in {
        "armchair": f"{_SMALL} basketball book box cloth laptop newspaper pillow teddybear",
        "bathtubbasin": "cloth handtowel soapbar",
        "bed": f"{_SMALL} {_SPORT} book box cloth laptop newspaper pillow teddybear",
        "cabinet": f"{_DISHES} {_BOTTLES} {_SHAKERS} {_DECOR} {_BATH} "
        "book box dishsponge kettle ladle pan papertowelroll pot tissuebox",
        "cart": f"{_BATH} candle tissuebox",
        "coffeemachine": "cup mug",
        "coffeetable": f"{_FLAT} pillow",
        "countertop": f"{_FOOD} {_DISHES} {_CUTLERY} {_BOTTLES} {_SHAKERS} {_DECOR} "
        "book cellphone cloth creditcard dishsponge handtowel kettle keychain pan papertowelroll "
        "pot scrubbrush soapbar spraybottle tissuebox toiletpaper watch",
        "desk": f"{_FLAT} basketball desklamp",
        "diningtable": f"{_FOOD} {_CUTLERY} {_BOTTLES} {_SHAKERS} {_FLAT} "
        "desklamp kettle pan papertowelroll pot",
        "drawer": f"{_CUTLERY} {_SHAKERS} {_SMALL} {_PAPER} candle cloth dishsponge handtowel "
        "scrubbrush soapbar soapbottle spraybottle toiletpaper",
        "dresser": f"{_FLAT} {_SPORT} desklamp handtowel teddybear",
        "fridge": f"{_FOOD} {_DISHES} pan pot winebottle",
        "garbagecan": f"{_FOOD} cd cloth dishsponge handtowel newspaper papertowelroll pen pencil "
        "soapbar soapbottle spraybottle tissuebox toiletpaper winebottle",
        "handtowelholder": "handtowel",
        "laundryhamper": "cloth handtowel pillow towel",
        "microwave": f"{_DISHES} apple bread egg potato tomato",
        "safe": "cd cellphone creditcard keychain statue vase watch",
        "shelf": f"{_FLAT} {_BOTTLES} {_SHAKERS} {_BATH} kettle papertowelroll pot teddybear",
        "sidetable": f"{_FLAT} {_BATH} apple bread desklamp papertowelroll pillow teddybear",
        "sinkbasin": f"{_DISHES} {_CUTLERY} apple cloth dishsponge egg handtowel kettle lettuce "
        "pan pot potato soapbar tomato",
        "sofa": f"{_SMALL} book box cloth laptop newspaper pillow teddybear",
        "stoveburner": "kettle pan pot",
        "toaster": "bread",
        "toilet": f"{_BATH} candle newspaper tissuebox",
        "toiletpaperhanger": "toiletpaper",
        "towelholder": "towel",
        "tvstand": f"{_SMALL} {_PAPER} {_DECOR} box laptop",
    }.items()
}
"""Receptacle kind -> the item kinds that may lie in or on it."""

ITEM_KINDS = tuple(sorted(frozenset[str]().union(*HOLDS.values())))
PICKUPABLE = frozenset(ITEM_KINDS) - LAMPS

USUAL: dict[str, tuple[str, ...]] = {
    kind: tuple(places.split())
    for kind, places in {
        "alarmclock": "sidetable desk dresser shelf",
        "apple": "fridge countertop diningtable sinkbasin garbagecan",
        "baseballbat": "bed dresser",
        "basketball": "bed armchair dresser desk",
        "book": "desk bed sidetable shelf sofa coffeetable",
        "bowl": "cabinet countertop shelf diningtable sidetable sinkbasin",
        "box": "coffeetable sofa dresser diningtable shelf",
        "bread": "countertop diningtable fridge toaster",
        "butterknife": "drawer countertop diningtable sinkbasin",
        "candle": "countertop shelf coffeetable toilet cabinet",
        "cd": "desk drawer shelf dresser garbagecan safe",
        "cellphone": "bed desk sidetable sofa coffeetable drawer",
        "cloth": "countertop cabinet bathtubbasin drawer bed laundryhamper",
        "creditcard": "desk sidetable coffeetable drawer sofa dresser",
        "cup": "cabinet countertop sinkbasin shelf microwave fridge",
        "desklamp": "desk sidetable dresser",
        "dishsponge": "sinkbasin countertop drawer cabinet",
        "egg": "fridge countertop sinkbasin garbagecan",
        "fork": "drawer countertop diningtable sinkbasin",
        "glassbottle": "countertop cabinet shelf",
        "handtowel": "handtowelholder countertop sinkbasin",
        "kettle": "stoveburner countertop cabinet",
        "keychain": "sidetable desk sofa drawer safe dresser",
        "knife": "countertop drawer diningtable sinkbasin",
        "ladle": "drawer countertop sinkbasin",
        "laptop": "desk bed sofa coffeetable diningtable",
        "lettuce": "fridge countertop sinkbasin diningtable",
        "mug": "coffeemachine cabinet countertop desk sinkbasin shelf",
        "newspaper": "sofa coffeetable armchair garbagecan toilet",
        "pan": "stoveburner cabinet countertop sinkbasin",
        "papertowelroll": "countertop garbagecan shelf",
        "pen": "desk drawer shelf sidetable garbagecan",
        "pencil": "desk drawer shelf sidetable garbagecan",
        "peppershaker": "countertop cabinet drawer shelf",
        "pillow": "bed sofa armchair",
        "plate": "cabinet countertop diningtable sinkbasin shelf",
        "plunger": "toilet cabinet",
        "pot": "stoveburner cabinet countertop sinkbasin fridge",
        "potato": "countertop fridge sinkbasin garbagecan",
        "remotecontrol": "sofa coffeetable tvstand armchair sidetable",
        "saltshaker": "countertop cabinet drawer shelf",
        "scrubbrush": "toilet countertop cabinet",
        "soapbar": "sinkbasin countertop bathtubbasin cabinet toilet",
        "soapbottle": "countertop cabinet toilet garbagecan",
        "spatula": "drawer countertop sinkbasin",
        "spoon": "drawer countertop diningtable sinkbasin",
        "spraybottle": "cabinet countertop toilet garbagecan",
        "statue": "shelf coffeetable tvstand dresser sidetable",
        "teddybear": "bed armchair sofa",
        "tennisracket": "bed dresser",
        "tissuebox": "sidetable coffeetable shelf toilet drawer",
        "toiletpaper": "toiletpaperhanger toilet cabinet countertop garbagecan",
        "tomato": "countertop fridge sinkbasin diningtable",
        "towel": "towelholder laundryhamper",
        "vase": "shelf coffeetable tvstand countertop safe",
        "watch": "sidetable desk coffeetable dresser safe",
        "wateringcan": "shelf sidetable coffeetable",
        "winebottle": "fridge countertop cabinet",
    }.items()
}
"""Item kind -> where it is usually found, likeliest first; every other place is unlikely."""


def likelihood(item: str, receptacle: str) -> float:
    """How likely an item of a kind is to be at one receptacle of a kind; not normalised.

    >>> likelihood("egg", "fridge"), likelihood("egg", "diningtable"), likelihood("egg", "bed")
    (1.0, 0.3, 0.0)
    """
    if item not in HOLDS[receptacle]:
        return 0.0
    usual = USUAL[item]
    return 1.0 - 0.1 * usual.index(receptacle) if receptacle in usual else 0.3
