//! Runs programs: weights uploaded once, pipelines created in one batch, commands recorded once per
//! shape and submitted per run.

mod conversion;
mod copies;
mod external;
mod fits;
mod io;
mod measure;
mod parallel;
mod peaks;
mod pipelines;
mod recording;
mod script;
mod session;
mod shuttle;
mod transfers;
mod weights;

pub use copies::synchronise;
pub use external::{External, Input, Output};
pub use fits::fits;
pub use recording::Recording;
pub use session::{Session, Stats};
pub use shuttle::Shuttle;
pub use transfers::TransferPath;
