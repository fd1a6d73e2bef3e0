//! Every kernel on a real driver, against the operators' naive twins on the CPU: tables of awkward
//! shapes, in fp32 and, where the device stores fp16, in fp16.

mod convolution;
mod elementwise;
mod fused_convolution;
mod harness;
mod integer_movement;
mod integers;
mod long_loops;
mod matmul;
mod movement;
mod pooling;
mod quantised;
mod quantised_convolution;
mod quantised_elementwise;
mod quantised_residual;
mod random;
mod reduction;
