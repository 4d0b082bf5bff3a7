"""Kinds of product in the generated shop: forty of them, eight in each of five categories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agentgym.envs.webshop.traits import TRAITS

OPTION_VALUES: Mapping[str, tuple[str, ...]] = {
    name: tuple(values.split(", "))
    for name, values in {
        "color": "black, white, navy blue, light grey, dark grey, wine red, royal blue, army "
        "green, rose gold, khaki, beige, teal, mustard yellow, burgundy, pink, purple, brown, "
        "silver, mint green, orange, ivory, charcoal, coral, sky blue",
        "size": "x-small, small, medium, large, x-large, xx-large, 3x-large, 4x-large",
        "shoe size": "6, 6.5, 7, 7.5, 8, 8.5, 9, 9.5, 10, 10.5, 11, 12, 8 wide, 9 wide, 10 wide",
        "volume": "1 fl oz, 2 fl oz, 4 fl oz, 8 fl oz, 12 fl oz, 16 fl oz, 1.7 ounce, 3.4 ounce",
        "scent": "lavender, fresh linen, sweet orange, eucalyptus, vanilla bean, rose petal, "
        "unscented, sandalwood, citrus burst, green tea",
        "flavor": "chocolate, vanilla, strawberry, sea salt, barbecue, honey mustard, peanut "
        "butter, lemon lime, apple cinnamon, original, jalapeno, maple, coconut, mixed berry",
        "pack": "pack of 1, pack of 2, pack of 3, pack of 4, pack of 6, pack of 8, pack of 12",
        "weight": "4 ounce, 8 ounce, 12 ounce, 1 pound, 2 pound, 5 pound",
        "capacity": "32gb, 64gb, 128gb, 256gb, 512gb, 1tb",
        "length": "1.5ft, 3ft, 6ft, 10ft, 15ft, 25ft, 50ft",
        "model": "iphone 11, iphone 12, iphone 13 pro, galaxy s20, galaxy s21 ultra, pixel 6",
        "dimensions": "16 x 16 inch, 18 x 18 inch, 20 x 20 inch, 26 x 26 inch, 40 x 60 inch, "
        "52 x 63 inch, 52 x 84 inch, 84 x 84 inch, 2 x 3 ft, 4 x 6 ft, 5 x 8 ft",
        "style": "classic, modern, rustic, industrial, farmhouse, vintage, art deco",
    }.items()
}
"""The values that products of any kind choose theirs from. Size names differ where kinds do: no
two groups share a value."""

PATHS: Mapping[str, str] = {
    "fashion": "Clothing, Shoes & Jewelry",
    "beauty": "Beauty & Personal Care",
    "grocery": "Grocery & Gourmet Food",
    "electronics": "Electronics",
    "garden": "Home & Kitchen",
}
"""Category -> the general part of its products' place in the shop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of product."""

    noun: str
    is_plural: bool
    category: str
    query: str
    path: tuple[str, ...]
    """From the general to the particular."""
    prices: tuple[float, float]
    traits: tuple[str, ...]
    options: tuple[str, ...]
    """Names of groups in `OPTION_VALUES`."""
    uses: tuple[str, ...]
    """What titles say it is for."""


CLOTHES = "machine washable, hand wash, quick drying, wrinkle free, tumble dry, polyester spandex"
SKIN = "cruelty free, paraben free, fragrance free, natural ingredients, dermatologist tested"
FOOD = "gluten free, non gmo, usda organic, natural flavors, resealable bag, dairy free"
GADGET = "easy to use, light weight, compact size, carrying case, long lasting"
FURNITURE = "easy to assemble, easy to clean, heavy duty, solid wood frame, engineered wood"
FABRIC = "machine washable, fade resistant, super soft fabric, eco friendly, double sided print"

TABLE = f"""
fashion | a hooded sweatshirt | Women > Sweatshirts | 18-60 | {CLOTHES}, loose fit, long sleeve, drawstring closure, faux fur | color, size | Women, Teen Girls, Fall
fashion | dress shirts | Men > Shirts | 15-55 | {CLOTHES}, slim fit, long sleeve, button closure, cotton spandex | color, size | Men, Work, Weddings
fashion | running shoes | Men > Shoes > Athletic | 35-110 | rubber sole, arch support, memory foam, light weight, non slip, water resistant, moisture wicking | color, shoe size | Men, Gym, Walking
fashion | ankle boots | Women > Shoes > Boots | 30-120 | rubber sole, faux fur, memory foam, non slip, water resistant, arch support, long lasting | color, shoe size | Women, Winter, Hiking
fashion | yoga leggings | Women > Activewear | 12-45 | {CLOTHES}, high waist, moisture wicking, cotton spandex, elastic waistband | color, size | Women, Running, Gym
fashion | cargo shorts | Men > Shorts | 14-50 | {CLOTHES}, relaxed fit, elastic waistband, button closure, drawstring closure | color, size | Men, Hiking, Summer
fashion | a summer dress | Women > Dresses | 16-70 | {CLOTHES}, short sleeve, high waist, loose fit, cotton spandex | color, size | Women, Beach, Party
fashion | pajama pants | Men > Sleepwear | 12-40 | {CLOTHES}, elastic waistband, relaxed fit, drawstring closure, cotton spandex | color, size | Men, Lounge, Sleep
beauty | a face moisturizer | Skin Care > Face | 8-60 | {SKIN}, oil free, hyaluronic acid, vitamin c serum, for sensitive skin, for dry skin | volume, pack | Women, Men, Night
beauty | a body lotion | Skin Care > Body | 6-35 | {SKIN}, coconut oil, alcohol free, for sensitive skin, for dry skin, long lasting | scent, volume | Hands, Feet, Winter
beauty | a shampoo | Hair Care > Wash | 7-40 | {SKIN}, sulfate free, argan oil, tea tree oil, for damaged hair, hair loss control | scent, volume | Women, Men, Curls
beauty | a hair mask | Hair Care > Treatment | 9-45 | {SKIN}, sulfate free, argan oil, coconut oil, for damaged hair, easy to use | volume, pack | Curls, Color Treated Hair
beauty | a lip gloss | Makeup > Lips | 5-25 | {SKIN}, long lasting, coconut oil, travel size, easy to use, light weight | color, pack | Women, Girls, Parties
beauty | an eyeshadow palette | Makeup > Eyes | 10-50 | {SKIN}, long lasting, travel size, easy to use, oil free, water resistant | color, style | Women, Stage, Beginners
beauty | a deodorant | Personal Care > Deodorant | 5-22 | {SKIN}, alcohol free, long lasting, tea tree oil, travel size, for sensitive skin | scent, pack | Women, Men, Gym
beauty | a hand soap | Personal Care > Bath | 4-24 | {SKIN}, coconut oil, tea tree oil, alcohol free, eco friendly, for dry skin | scent, volume | Kitchen, Bathroom
grocery | protein bars | Snacks > Bars | 10-40 | {FOOD}, high protein, sugar free, keto friendly, plant based, individually wrapped | flavor, pack | Breakfast, Hiking, Kids
grocery | potato chips | Snacks > Chips | 4-30 | {FOOD}, low sodium, fat free, plant based, nut free, individually wrapped | flavor, weight | Lunch Boxes, Parties
grocery | trail mix | Snacks > Nuts | 6-38 | {FOOD}, low sodium, high protein, ready to eat, sugar free, keto friendly | weight, pack | Hiking, Office, Travel
grocery | herbal tea | Beverages > Tea | 5-32 | {FOOD}, caffeine free, sugar free, individually wrapped, low calorie, plant based | flavor, pack | Sleep, Iced Tea
grocery | ground coffee | Beverages > Coffee | 8-45 | {FOOD}, caffeine free, shelf stable, sugar free, low calorie, plant based | flavor, weight | Espresso, Cold Brew
grocery | a protein shake | Beverages > Shakes | 12-55 | {FOOD}, high protein, low calorie, sugar free, shelf stable, plant based | flavor, pack | Men, Women, Gym
grocery | dried fruit | Pantry > Fruit | 7-36 | {FOOD}, freeze dried, ready to eat, fat free, sugar free, shelf stable | flavor, weight | Baking, Cereal, Kids
grocery | a pasta sauce | Pantry > Sauces | 4-28 | {FOOD}, low sodium, sugar free, keto friendly, plant based, shelf stable | flavor, pack | Lasagna, Pizza
electronics | wireless earbuds | Audio > Headphones | 15-150 | {GADGET}, noise cancelling, bluetooth connection, stereo sound, fast charging, hands free, water resistant | color, style | Running, Calls, Music
electronics | a bluetooth speaker | Audio > Speakers | 15-140 | {GADGET}, bluetooth connection, stereo sound, water resistant, usb port, shock proof, hands free | color, style | Home, Beach, Shower
electronics | a phone case | Phones > Cases | 6-40 | light weight, shock proof, dust proof, scratch resistant, wireless charging, non slip, easy to install | color, model | Girls, Men
electronics | a screen protector | Phones > Protection | 5-25 | tempered glass, easy to install, scratch resistant, high definition, dust proof, shock proof, easy to clean | model, pack | Gaming, Travel
electronics | an hdmi cable | Accessories > Cables | 6-60 | gold plated connectors, high speed, plug and play, high definition, heavy duty, aluminum alloy body, easy to use | length, color | Television, Gaming, Laptop
electronics | a memory card | Accessories > Storage | 9-120 | high speed, shock proof, dust proof, water resistant, plug and play, high definition, long lasting | capacity, pack | Cameras, Phones, Drones
electronics | a security camera | Cameras > Security | 25-190 | motion detection, high definition, easy to install, plug and play, water resistant, remote control, batteries included | color, pack | Home, Garage, Baby
electronics | a charging cable | Accessories > Power | 5-35 | fast charging, high speed, heavy duty, usb port, plug and play, aluminum alloy body, long lasting | length, color | Car, Office, Travel
garden | throw pillow covers | Bedding > Pillows | 8-40 | {FABRIC}, quick drying, wrinkle free, easy to clean, hand wash | color, dimensions | Couch, Bed, Patio
garden | blackout curtains | Decor > Curtains | 15-80 | {FABRIC}, energy efficient, easy to install, wrinkle free, easy to clean | color, dimensions | Bedroom, Living Room
garden | an area rug | Decor > Rugs | 25-220 | {FABRIC}, non slip, easy to clean, quick drying, heavy duty | color, dimensions | Living Room, Kitchen, Patio
garden | an office chair | Furniture > Chairs | 60-320 | {FURNITURE}, lumbar support, faux leather seat, height adjustable, memory foam, fully assembled | color, style | Home Office, Gaming
garden | a coffee table | Furniture > Tables | 50-290 | {FURNITURE}, storage space, stainless steel legs, tempered glass, white finish, space saving | color, style | Living Room, Apartment
garden | a bookshelf | Furniture > Shelves | 35-240 | {FURNITURE}, storage space, space saving, white finish, fully assembled, stainless steel legs | color, style | Bedroom, Office, Kids
garden | a table lamp | Lighting > Lamps | 15-110 | led light, energy efficient, easy to assemble, height adjustable, remote control, usb port, space saving, easy to clean | color, style | Bedroom, Desk, Nightstand
garden | an entryway bench | Furniture > Benches | 45-260 | {FURNITURE}, storage space, space saving, faux leather seat, white finish, fully assembled | color, style | Hallway, Mudroom
"""  # noqa: E501  one kind a line


def _read(line: str) -> Kind:
    category, thing, path, prices, traits, options, uses = (
        part.strip() for part in line.split("|")
    )
    article, _, noun = thing.partition(" ")
    is_plural = article not in ("a", "an")
    noun = thing if is_plural else noun
    lowest, highest = map(float, prices.split("-"))
    names = tuple(traits.split(", "))
    assert set(names) <= set(TRAITS), set(names) - set(TRAITS)
    return Kind(
        noun=noun,
        is_plural=is_plural,
        category=category,
        query=noun,
        path=(PATHS[category], *path.split(" > "), noun.title()),
        prices=(lowest, highest),
        traits=names,
        options=tuple(options.split(", ")),
        uses=tuple(uses.split(", ")),
    )


KINDS = tuple(map(_read, TABLE.strip().splitlines()))
CATEGORIES = tuple(PATHS)
