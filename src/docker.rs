//! Docker's classic builder image cache.
