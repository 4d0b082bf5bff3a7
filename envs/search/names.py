"""The words that names in the fictional world are made of: a first word and a last word each.

Every word is in one list only. All panels share the words, so that a reader of one panel has met
the parts of every name in another, though none of its names.
"""

from __future__ import annotations

WOMEN = tuple(
    """Ada Alma Bea Clara Cora Dara Edda Elin Elva Esme Fay Frida Gerda Greta Hedda Hilda Ida Ilse
    Inga Iris Jana Juna Kaya Lena Liv Lotte Mara Mina Nadia Nell Nora Oda Petra Rhea Runa Selma
    Signe Tilda Una Vera Wilma Zora""".split()
)
MEN = tuple(
    """Abel Aldo Anton Arne Bram Carl Cyrus Dario Egon Elias Emil Enzo Felix Gil Hugo Igor Ivo
    Jakob Jonas Kurt Lars Leif Linus Magnus Milo Niels Nils Odin Oskar Otto Pavel Quinn Ralf Rolf
    Rufus Silas Stig Sven Theo Tobias Ulf Viktor""".split()
)
SURNAMES = tuple(
    """Abbott Alden Arkwell Ashdown Barlow Barrick Bellamy Birkett Blackmoor Brandt Calder Carrow
    Castell Corwin Crane Dalby Darrow Delmar Dorn Drummond Eckhart Elwood Ferris Finch Fogarty
    Galloway Garrick Gault Grimsby Hadley Halvard Harrow Hendry Hollis Holt Ingram Ives Jarrow
    Jessop Keller Kendrick Kirkby Lambert Langley Larkin Lorne Lovell Maddox Marlow Merrick
    Morven Norcross Norwood Oakley Orvik Osgood Palmer Penrose Quarles Radcliff Redfern Renwick
    Rivett Rowan Sandoval Sawyer Selwyn Sharpe Sorrel Stroud Talbot Tarrant Thorne Tolland Udall
    Vance Velden Waverly Weller Whitlock Winslow Wyndham Yarrow Zeller""".split()
)
TOWN_WORDS = tuple(
    """Bad Cape Castle East Fort Glen Grand High Inner Lake Lower Mount New North Old Outer Port
    Saint South Upper Villa West""".split()
)
ADJECTIVES = tuple(
    """Amber Ancient Azure Bitter Blind Bold Brazen Bright Broken Bronze Burning Calm Clever Copper
    Coral Crimson Crooked Dancing Distant Double Eager Emerald Endless Eternal Faded Fallen Famous
    Fearless Floating Forgotten Frozen Gentle Gilded Golden Hidden Hollow Humble Icy Idle Ivory
    Jade Jolly Leaden Lonely Lucky Marble Mighty Narrow Noble Open Orange Painted Patient Pearl
    Purple Quiet Rapid Restless Roaming Royal Ruby Sacred Scarlet Secret Shining Silent Silver
    Simple Sleeping Solemn Stolen Sunken Tender Velvet Violet Wandering Weary Wooden""".split()
)
NOVEL_WORDS = tuple(
    """Anchor Arrow Autumn Balcony Bell Bridge Candle Canyon Carousel Cathedral Chamber Citadel
    Cloud Comet Compass Corridor Crown Curtain Desert Dragon Echo Eclipse Empire Falcon Feather
    Fiddle Flame Forest Fountain Garden Gate Ghost Glacier Harbor Horizon Hourglass Island Journey
    Kingdom Ladder Lagoon Lantern Letter Lighthouse Lion Maze Meadow Mirror Moon Mountain Oath
    Ocean Orchard Owl Palace Parade Pilgrim Pyramid Raven Riddle River Sailor Serpent Shadow Shore
    Snow Staircase Storm Summer Temple Throne Tiger Tower Valley Voyage Whisper Window
    Winter""".split()
)
COMPANY_WORDS = tuple(
    """Airways Bakery Bank Bearings Brewery Cables Ceramics Chemicals Clocks Cotton Dairy Dynamics
    Electric Engines Fabrics Foundry Freight Furniture Glass Hotels Instruments Insurance Leather
    Lumber Machines Metals Mills Mining Motors Optics Paper Pharma Pianos Plastics Pottery Press
    Railways Rubber Shipyard Software Steel Sugar Textiles Tools Toys Turbines""".split()
)
CONTEST_WORDS = tuple(
    """Biathlon Challenge Classic Cup Derby Duel Grandprix Joust League Marathon Masters Medley
    Olympiad Pentathlon Rally Regatta Relay Sprint Tournament Trophy Triathlon Wager""".split()
)
MONTHS = tuple(
    """January February March April May June July August September October November
    December""".split()
)
