"""How good a lead is, as a sum anyone can check: pure, deterministic, explainable."""

from gardenos.ai.scoring.facts import LeadFacts
from gardenos.ai.scoring.score import Reason, Score, score

__all__ = ["LeadFacts", "Reason", "Score", "score"]
