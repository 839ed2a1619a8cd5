//! The sandbox from outside, as the server uses it: real components, real
//! files, a real child process.

mod catalog;
mod door;
mod evidence;
mod grants;
mod guests;
mod limits;
mod place;
