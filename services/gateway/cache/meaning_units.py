"""Units that are one whether written out or not."""

from __future__ import annotations

_UNITS = {
    "km": "km kilometre kilometres kilometer kilometers",
    "cm": "cm centimetre centimetres centimeter centimeters",
    "mm": "mm millimetre millimetres millimeter millimeters",
    "metres": "metres meters",
    "kg": "kg kilogram kilograms kilogramme kilogrammes",
    "mg": "mg milligram milligrams milligramme milligrammes",
    "grams": "grams grammes",
    "litres": "litres liters",
    "ml": "ml mL millilitre millilitres milliliter milliliters",
    "MB": "MB megabyte megabytes",
    "GB": "GB gigabyte gigabytes",
    "TB": "TB terabyte terabytes",
    "ms": "ms millisecond milliseconds",
    "sec": "sec secs seconds",
    "min": "min mins minutes",
    "hours": "hr hrs hours",
    "km/h": "km/h kmh kph",
    "mph": "mph",
    "°C": "°C",
    "°F": "°F",
    "kW": "kW kilowatt kilowatts",
    "kWh": "kWh kilowatt-hour kilowatt-hours",
    "MHz": "MHz megahertz",
    "GHz": "GHz gigahertz",
    "ft": "ft feet",
    "lb": "lb lbs",
    "px": "px pixels",
    "euros": "euros euro €",
}
"""Not here, since they are several: m, g, l, s, t, h (9 h is a time of day, too), pounds, KB, gb."""

UNITS = {name: unit for unit, names in _UNITS.items() for name in names.split()}
SINGULARS = {"second": "sec", "minute": "min", "hour": "hours", "foot": "ft", "pixel": "px"}
"""Only behind a 1: a "5 minute walk" may be five walks of a minute."""
_ATTACHED = (
    "km cm mm kg mg ml mL MB GB TB ms sec secs min mins hr hrs km/h kmh kph mph °C °F kW kWh MHz GHz ft lb lbs px €"
)
ATTACHED = frozenset(_ATTACHED.split())
"""What may stand right behind the figure."""
PHRASES = {
    ("km", "per", "hour"): "km/h",
    ("miles", "per", "hour"): "mph",
    ("degrees", "Celsius"): "°C",
    ("degrees", "celsius"): "°C",
    ("degrees", "Fahrenheit"): "°F",
    ("degrees", "fahrenheit"): "°F",
    ("kilowatt", "hours"): "kWh",
}
"""The first word as it stands once it was looked up alone."""
