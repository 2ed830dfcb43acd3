//! Processors over a made-up hospital: one program, for each takes long to link.

mod binding;
mod past;
mod several;
mod support;
