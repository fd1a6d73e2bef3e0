//! A partition for which fp16 is not tried yet.

use super::compiler::{Compiler, Reshaped};
use super::on_device::OnDevice;
use super::precision::{EffectivePrecision, Trial, Verdict};
use super::probe::Probe;
use super::recorded::Recorded;
use crate::error::{Error, Result};
use crate::graph::{Graph, Mix};
use crate::ir::Shape;
use crate::options::Precision;
use crate::runtime::{Recording, Session};

/// Compiled in fp32. The first run with some output that is not empty tries fp16 too.
pub struct Proving {
    compiler: Compiler,
    session: Session,
    trial: Trial,
    /// Compiled in fp32, for the last shapes.
    wide: Reshaped,
    /// Whether these shapes are in use: until then they are those of the import.
    prepared: bool,
}

impl Proving {
    /// A partition that was compiled in fp32; `session` may hold its pipelines.
    pub fn new(compiler: Compiler, session: Session, trial: Trial, wide: Reshaped) -> Self {
        Self { compiler, session, trial, wide, prepared: false }
    }

    /// The graph with the shapes in use; `None` before there are any.
    pub fn graph(&self) -> Option<&Graph> {
        self.prepared.then_some(&self.wide.graph)
    }

    /// Compiles in fp32 for inputs of these shapes.
    ///
    /// # Errors
    /// See [`Compiler::compile`].
    pub fn prepare(&mut self, imported: &Graph, shapes: &[Shape]) -> Result<()> {
        if self.wide.shapes != shapes {
            self.wide = self.compiler.compile(imported, shapes, &Mix::of(Precision::Fp32))?;
        }
        self.prepared = true;
        Ok(())
    }

    /// The inputs' shapes in use.
    pub fn shapes(&self) -> &[Shape] {
        &self.wide.shapes
    }

    /// Computes the outputs in fp32. The recording is for [`settle`](Self::settle); there is none if all
    /// outputs are empty, and then fp16 cannot be tried yet.
    ///
    /// # Errors
    /// See [`Session::prepare`] and [`Session::run`].
    pub fn run(&mut self, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<Option<Recording>> {
        if self.wide.compiled.is_none() {
            return Ok(None);
        }
        let recording = record(&mut self.session, &self.wide)?;
        self.session.run(&recording, inputs, outputs)?;
        Ok(Some(recording))
    }

    /// Settles on a precision: fp16 runs on these inputs, whose `outputs` fp32 has computed, and both run on
    /// random inputs. One precision runs after the other, so that weights and pipelines of both are never in
    /// memory together. `None` if the device is lost meanwhile; whatever else goes wrong means fp32.
    pub fn settle(
        self,
        imported: &Graph,
        recording: Recording,
        inputs: &[&[u8]],
        outputs: &[&mut [u8]],
    ) -> Option<OnDevice> {
        let Self { mut compiler, mut session, trial, wide, .. } = self;
        let fp32 = Probe::new(&mut session, &recording, graph(&wide));
        drop(recording);
        drop(session);
        let mut session = compiler.session();
        let tried = fp32.and_then(|fp32| {
            let narrow = compiler.compile(imported, &wide.shapes, &Mix::of(trial.asked))?;
            let recording = record(&mut session, &narrow)?;
            let verdict = fp32.judge(&mut session, &recording, graph(&narrow), inputs, outputs)?;
            Ok((narrow, recording, verdict))
        });
        let precision = match tried {
            Ok((narrow, recording, verdict)) => {
                compiler.setup.verdicts.learn(&trial, &verdict);
                let precision = EffectivePrecision::tried(trial.asked, verdict.clone());
                match verdict {
                    Verdict::Holds if compiler.setup.options.profile.is_none() => {
                        let recorded = Recorded::with(recording, narrow);
                        return Some(OnDevice::with_recorded(compiler, session, precision, recorded));
                    }
                    // That recording takes no timestamps.
                    Verdict::Holds => return Some(OnDevice::new(compiler, session, precision, narrow)),
                    Verdict::Moves(_) => precision,
                }
            }
            Err(Error::DeviceLost) => return None,
            Err(e) => EffectivePrecision::failed(trial.asked, e.to_string()),
        };
        drop(session);
        let session = compiler.session();
        Some(OnDevice::new(compiler, session, precision, wide))
    }
}

fn record(session: &mut Session, reshaped: &Reshaped) -> Result<Recording> {
    let Some(compiled) = &reshaped.compiled else { unreachable!("nothing is tried without outputs") };
    session.prepare(&compiled.program, &compiled.memory, &compiled.barriers)
}

/// The graph that was compiled.
fn graph(reshaped: &Reshaped) -> &Graph {
    reshaped.compiled.as_ref().map_or(&reshaped.graph, |compiled| &compiled.graph)
}
