//! What is learned of a past, told by hand or simulated, and what is said of it: one program, for each takes long to link.

mod features;
mod labels;
mod scoring;
