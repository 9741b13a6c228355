"""What tokens cost: a table by model; a model that is not in it has no known cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    input: Decimal
    output: Decimal

    def cost(self, input_tokens: int, output_tokens: int) -> Decimal:
        """US dollars, exact."""
        return (self.input * input_tokens + self.output * output_tokens) / _MILLION


DEFAULT_PRICES: Mapping[str, Price] = {
    "deepseek-ai/DeepSeek-V3-0324": Price(Decimal("0.27"), Decimal("1.10")),
}


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices by model name."""

    prices: Mapping[str, Price]

    @classmethod
    def of(cls, configured: Mapping[str, tuple[Decimal, Decimal]]) -> PriceTable:
        """The default prices, with those of an installation on top: (input, output) per model."""
        own = {model: Price(*price) for model, price in configured.items()}
        return cls({**DEFAULT_PRICES, **own})

    def cost(
        self, model: str, *, input_tokens: int | None, output_tokens: int | None
    ) -> Decimal | None:
        """US dollars; None where the price or a number of tokens is unknown, never zero for it."""
        price = self.prices.get(model)
        if price is None or input_tokens is None or output_tokens is None:
            return None
        return price.cost(input_tokens, output_tokens)
