//! The promises that every backend keeps, as functions that its tests call.
