//! Stories across all rooms; they stand in `tests/`.
