//! The composition root: starts every part in order and stops them in the reverse order.
