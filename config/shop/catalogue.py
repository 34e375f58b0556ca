"""The goods of the demo shop, Hearth & Trail: cheap and expensive ones, plentiful, scarce and sold-out ones.

Prices are in US dollars. The opening stock is what the shop receives before it opens. With the expensive goods it is
easy to place orders over 6,000 dollars. The scarce ones show what happens when two buyers want the last one.
"""

from dataclasses import dataclass
from decimal import Decimal

CURRENCY = "USD"
SCARCE_STOCK = 3


@dataclass(frozen=True, slots=True)
class DemoProduct:
    """A product of the demo shop with its opening stock."""

    sku: str
    name: str
    description: str
    price: Decimal
    opening_stock: int
    category: str

    @property
    def is_scarce(self) -> bool:
        return self.opening_stock <= SCARCE_STOCK


def _shelf(category: str, *products: tuple[str, str, str, int, str]) -> tuple[DemoProduct, ...]:
    return tuple(
        DemoProduct(sku, name, description, Decimal(price), opening_stock, category)
        for sku, name, price, opening_stock, description in products
    )


# Two lines for each product read like a price list, which the formatter would break up.
# fmt: off
_CAMP_KITCHEN = _shelf(
    "Camp kitchen",
    ("MUG-ENAMEL-BLUE", "Enamel Mug, Lake Blue", "14.00", 400,
     "A mug that survives the fire, the stream and the dishwasher."),
    ("MUG-ENAMEL-CREAM", "Enamel Mug, Cream", "14.00", 400,
     "The same mug for those who like to see how strong the coffee is."),
    ("KETTLE-CAMP-COPPER", "Copper Camp Kettle", "89.00", 40,
     "Boils a litre of lake in six minutes and sings when it is done."),
    ("PAN-IRON-26", "Cast Iron Pan, 26 cm", "64.50", 75,
     "Heavy enough to hand down, seasoned and ready for trout."),
    ("STOVE-TWO-BURNER", "Two-Burner Camp Stove", "149.00", 30,
     "Bacon on the left, pancakes on the right, folded into a suitcase."),
    ("GRINDER-COFFEE-HAND", "Hand Coffee Grinder", "58.00", 60,
     "Steel burrs and a long handle, quiet enough for early risers."),
    ("SPORK-TITANIUM", "Titanium Spork", "9.50", 900,
     "Spoon, fork and conversation piece in seventeen grams."),
)

_ON_THE_TRAIL = _shelf(
    "On the trail",
    ("PACK-CANVAS-30", "Canvas Rucksack, 30 l", "179.00", 45,
     "Waxed canvas and bridle leather for a day that turns into three."),
    ("TENT-RIDGE-2", "Ridge Tent for Two", "429.00", 20,
     "Stands in a gale, packs to the size of a loaf of bread."),
    ("TENT-BELL-5", "Bell Tent, 5 m", "890.00", 12,
     "Space for a stove, a table and six friends who stay for the weekend."),
    ("BAG-SLEEP-DOWN", "Down Sleeping Bag", "365.00", 25,
     "Ethically sourced down, warm to ten below and light as a hat."),
    ("CANOE-CEDAR-16", "Cedar Canoe, 16 ft", "980.00", 8,
     "Built rib by rib, and it finds its own way home."),
    ("COMPASS-BRASS", "Brass Compass", "42.00", 120,
     "Points north with a heavy, reassuring click of the lid."),
    ("KNIFE-FOLDING-OAK", "Folding Knife, Oak Handle", "54.00", 1,
     "One blade, one lock, one piece of oak from an old wine barrel."),
    ("BOTTLE-STEEL-1L", "Steel Bottle, 1 l", "28.00", 350,
     "Keeps tea hot until the summit and water cold on the way down."),
)

_HEARTH_AND_HOME = _shelf(
    "Hearth and home",
    ("BLANKET-WOOL-PINE", "Wool Blanket, Pine Green", "128.00", 70,
     "Woven in one piece, big enough for two and a dog."),
    ("BLANKET-WOOL-RUST", "Wool Blanket, Rust", "128.00", 3,
     "The colour of last year's leaves, and nearly as hard to find."),
    ("CANDLE-BEESWAX-6", "Beeswax Candles, Box of Six", "24.00", 240,
     "Burn for nine hours each and smell faintly of summer."),
    ("LANTERN-STORM", "Storm Lantern", "39.00", 150,
     "A flame behind glass which no draught has yet put out."),
    ("AXE-KINDLING", "Kindling Axe", "72.00", 55,
     "A small axe with a long memory for dry birch."),
    ("BASKET-LOG-WILLOW", "Willow Log Basket", "96.00", 18,
     "Holds an evening's fire and looks good empty."),
    ("CHAIR-ROCKING-ASH", "Rocking Chair, Ash", "640.00", 9,
     "Steam-bent by one pair of hands and signed under the seat."),
    ("STOVE-WOOD-CAST", "Cast Iron Wood Stove", "975.00", 6,
     "Heats a cabin, boils a kettle and is admired by every guest."),
)

_WRITING_DESK = _shelf(
    "Writing desk",
    ("NOTEBOOK-DOT-A5", "Dotted Notebook, A5", "16.00", 800,
     "Lies flat, takes ink and has numbered pages for honest people."),
    ("NOTEBOOK-FIELD-3", "Field Notebooks, Set of Three", "12.50", 950,
     "Rainproof, and slim enough to be sat upon."),
    ("PEN-FOUNTAIN-BRASS", "Brass Fountain Pen", "118.00", 35,
     "Turned from one bar; the nib learns your hand within a week."),
    ("PEN-FOUNTAIN-GOLD", "Fountain Pen, Gold Nib", "480.00", 0,
     "Made to order by a workshop of two, who are on holiday."),
    ("INK-FOREST-50ML", "Ink, Forest Green, 50 ml", "19.00", 300,
     "Dries slowly, fades never, and is forgiven by cotton."),
    ("PENCIL-CEDAR-12", "Cedar Pencils, Dozen", "11.00", 1_000,
     "Sharpen to a fine point and smell like a new school year."),
    ("SEAL-WAX-SET", "Sealing Wax Set", "33.00", 90,
     "Three colours of wax and a seal, for letters that matter."),
)

_GARDEN_GATE = _shelf(
    "Garden gate",
    ("SEEDS-MEADOW-50G", "Meadow Seeds, 50 g", "7.50", 1_200,
     "Thirty wild flowers for five square metres of bees."),
    ("TROWEL-ASH", "Hand Trowel, Ash Handle", "26.00", 180,
     "A forged blade that takes stones personally."),
    ("CAN-WATERING-ZINC", "Zinc Watering Can, 9 l", "68.00", 50,
     "Pours like soft rain and is balanced when full."),
    ("BENCH-OAK-150", "Oak Garden Bench, 150 cm", "745.00", 7,
     "Turns silver in three winters and outlives the hedge."),
    ("GLOVES-GOAT-M", "Goatskin Gloves, Medium", "34.00", 110,
     "Proof against roses, soft enough to tie a knot in."),
    ("HOUSE-BIRD-WREN", "Wren House", "29.50", 1,
     "A larch house with a door exactly one wren wide."),
)

_RAINY_DAYS = _shelf(
    "Rainy days",
    ("PUZZLE-MAP-1000", "Old Map Jigsaw, 1,000 Pieces", "32.00", 130,
     "The known world in 1570, including the monsters."),
    ("CHESS-WALNUT", "Walnut Chess Set", "215.00", 22,
     "Weighted pieces, folding board, and a spare queen for each side."),
    ("TELESCOPE-BRASS-60", "Brass Telescope, 60 mm", "590.00", 3,
     "Shows the moons of Jupiter, or the neighbours' chimney in detail."),
    ("RADIO-WALNUT", "Walnut Table Radio", "260.00", 28,
     "One dial for the station, one for the volume, nothing else."),
    ("HARMONICA-C", "Harmonica in C", "38.50", 140,
     "Ten holes and no excuse."),
    ("UMBRELLA-CHERRY", "Umbrella, Cherry Handle", "84.00", 0,
     "Sold out, as it always is once it starts to rain."),
)

# fmt: on

CATALOGUE: tuple[DemoProduct, ...] = (
    *_CAMP_KITCHEN,
    *_ON_THE_TRAIL,
    *_HEARTH_AND_HOME,
    *_WRITING_DESK,
    *_GARDEN_GATE,
    *_RAINY_DAYS,
)
