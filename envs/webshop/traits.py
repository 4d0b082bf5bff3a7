"""Attributes of products, and the ways in which people ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """One attribute."""

    name: str
    front: tuple[str, ...]
    """What may stand before the thing that is asked for; none for parts of it."""
    behind: tuple[str, ...]
    """What may stand behind it: "with ...", "that ..." and the like."""


def _read(line: str) -> Trait:
    """A line is a name, then ways to say it behind a thing; "+" says that it names a part."""
    name, *ways = (part.strip() for part in line.strip().split("|"))
    if name.startswith("+"):
        part = name.removeprefix("+").strip()
        return Trait(name=part, front=(), behind=(f"with {part}", f"that has {part}", *ways))
    if name.startswith("for "):
        return Trait(name=name, front=(), behind=(name, *ways))
    usual = (f"that is {name}", f"which should be {name}")
    return Trait(name=name, front=(name, name.replace(" ", "-")), behind=(*usual, *ways))


LINES = """
machine washable | that can go in the washing machine | i can machine wash
hand wash | that i can wash by hand
quick drying | that dries quickly
moisture wicking | that wicks moisture
wrinkle free | that never wrinkles
water resistant | that resists water
slim fit | with a slim fit
relaxed fit | with a relaxed fit
loose fit | with a loose fit
long sleeve | with long sleeves
short sleeve | with short sleeves
high waist | with a high waist
light weight | that weighs little
tumble dry | that can go in the dryer
+ rubber sole | with a sole of rubber
+ arch support | that supports the arch
+ memory foam | made with memory foam
+ elastic waistband | with an elastic waist
+ button closure | that closes with buttons
+ drawstring closure | that closes with a drawstring
+ faux fur | lined with faux fur
+ polyester spandex | made of polyester spandex
+ cotton spandex | made of cotton spandex
non slip | that does not slip
cruelty free | not tested on animals and cruelty free
paraben free | without parabens
sulfate free | without sulfates
fragrance free | without fragrance
alcohol free | without alcohol
oil free | without oil
long lasting | that lasts long
easy to use | i can use easily
travel size | in travel size
dermatologist tested | tested by a dermatologist
+ hyaluronic acid | made with hyaluronic acid
+ tea tree oil | made with tea tree oil
+ argan oil | made with argan oil
+ coconut oil | made with coconut oil
+ vitamin c serum | made with vitamin c
+ natural ingredients | made of natural ingredients
+ hair loss control | against hair loss
for sensitive skin | good for sensitive skin
for dry skin | good for dry skin
for damaged hair | good for damaged hair
gluten free | without gluten
sugar free | without sugar
dairy free | without dairy
nut free | without nuts
fat free | without fat
low sodium | that is low in sodium
low calorie | that is low in calories
high protein | that is high in protein
keto friendly | that fits a keto diet
plant based | made from plants
non gmo | without gmo
usda organic | certified usda organic
individually wrapped | wrapped one by one
ready to eat | i can eat at once
caffeine free | without caffeine
shelf stable | that keeps on the shelf
freeze dried | that was freeze dried
+ natural flavors | made with natural flavors
+ resealable bag | in a resealable bag
fast charging | that charges fast
noise cancelling | that cancels noise
hands free | i can use hands free
plug and play | that works by plug and play
high speed | that runs at high speed
high definition | in high definition
wireless charging | that charges without a wire
dust proof | that keeps dust out
shock proof | that survives a fall
scratch resistant | that does not scratch
energy efficient | that saves energy
compact size | of compact size
+ bluetooth connection | that connects by bluetooth
+ usb port | that has a usb port
+ carrying case | that comes with a carrying case
+ batteries included | that comes with batteries included
+ stereo sound | that plays stereo sound
+ gold plated connectors | that has gold plated connectors
+ aluminum alloy body | made of aluminum alloy
+ remote control | that works by remote control
+ motion detection | that detects motion
+ tempered glass | made of tempered glass
easy to assemble | i can put together easily
easy to clean | i can clean easily
easy to install | i can install easily
space saving | that saves space
fade resistant | that does not fade
heavy duty | that takes heavy use
eco friendly | that is good for the environment
height adjustable | whose height i can adjust
fully assembled | that comes assembled
white finish | finished in white
+ solid wood frame | made of solid wood
+ stainless steel legs | with legs of stainless steel
+ storage space | with room to store things
+ engineered wood | made of engineered wood
+ faux leather seat | with a seat of faux leather
+ lumbar support | that supports the lower back
+ led light | lit by led
+ double sided print | printed on both sides
+ super soft fabric | made of super soft fabric
"""

TRAITS: Mapping[str, Trait] = {
    trait.name: trait for trait in map(_read, LINES.strip().splitlines())
}
"""By name."""
