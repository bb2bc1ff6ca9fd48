//! Every story of `guests` in one program, so that a build links it once; each module is a story file of its own.

mod catalogue_attacks;
mod idp_proxy;
mod shelf;
mod supervisor;
