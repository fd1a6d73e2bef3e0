//! What graphs and programs are made of: types, constants, elementwise steps, moving windows. Plain data.

pub mod bounded;
mod broadcast;
mod constant;
pub mod fixed_functions;
pub mod fixed_functions_16;
mod fixed_point;
mod host;
mod magnitude;
pub mod requantize;
mod scalar;
mod sparse;
mod sparsity;
mod step;
mod types;
pub mod wide_product;
mod window;

pub use broadcast::Broadcast;
pub use constant::{Bytes, Constant, MAX_HOST_INTEGERS};
pub use fixed_point::{FixedPoint, high_product, rounding_right};
pub use host::{Data, HostTensor, dot};
pub use magnitude::{Magnitude, Term};
pub use scalar::Scalar;
pub use sparsity::{SparseDimension, Sparsity};
pub use step::{Activation, Operand, Step, StepOp};
pub use types::{DType, MAX_RANK, Quantization, Shape, TensorType, is_scale};
pub use window::{Extent, Padding, SpatialPadding, Window};
