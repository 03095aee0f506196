//! What a person meant by a cell: versioned, pure, never hashed and never stored.
