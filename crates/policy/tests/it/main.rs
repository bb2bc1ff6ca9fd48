//! Every story of `policy` in one program, so that a build links it once; each module is a story file of its own.

mod layers;
mod organisation;
mod people;
mod verdicts;
