"""The audit log: who changed what, written by triggers and only read here."""
