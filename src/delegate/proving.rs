//! A partition for which fp16 is not tried yet.

use super::compiler::{Compiler, Reshaped};
use super::on_device::OnDevice;
use super::on_host::OnHost;
use super::precision::{EffectivePrecision, Trial, Verdict};
use super::probe::{self, Probe};
use super::recorded::Recorded;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::ir::Shape;
use crate::options::Precision;
use crate::runtime::{Recording, Session};

/// Compiled in fp32. As soon as some output is not empty, fp16 is tried.
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
            self.wide = self.compiler.compile(imported, shapes, Precision::Fp32)?;
        }
        self.prepared = true;
        Ok(())
    }

    /// Whether some output is not empty, so that fp16 can be tried.
    pub fn is_ready(&self) -> bool {
        self.wide.compiled.is_some()
    }

    /// Runs the partition on random inputs in both precisions, and settles on one. One precision runs after
    /// the other, so that weights and pipelines of both are never in memory together.
    ///
    /// # Errors
    /// [`Error::DeviceLost`]; whatever else goes wrong means fp32.
    pub fn settle(self, imported: &Graph) -> Result<OnDevice> {
        let Self { mut compiler, mut session, trial, wide, .. } = self;
        let fp32 = run(&mut session, &wide).map(|(_, probe)| probe);
        drop(session);
        let mut session = compiler.session();
        let tried = fp32.and_then(|fp32| {
            let narrow = compiler.compile(imported, &wide.shapes, trial.asked)?;
            let (recording, fp16) = run(&mut session, &narrow)?;
            Ok((narrow, recording, fp16, fp32))
        });
        let precision = match tried {
            Ok((narrow, recording, fp16, fp32)) => {
                let names = narrow.compiled.as_ref().map_or(&narrow.graph, |compiled| &compiled.graph);
                let verdict = probe::compare(names, &fp16, &fp32);
                compiler.setup.verdicts.learn(&trial, &verdict);
                let precision = EffectivePrecision::tried(trial.asked, verdict.clone());
                match verdict {
                    Verdict::Holds if compiler.setup.options.profile.is_none() => {
                        let recorded = Recorded::with(recording, narrow);
                        return Ok(OnDevice::with_recorded(compiler, session, precision, recorded));
                    }
                    // That recording takes no timestamps.
                    Verdict::Holds => return Ok(OnDevice::new(compiler, session, precision, narrow)),
                    Verdict::Moves(_) => precision,
                }
            }
            Err(Error::DeviceLost) => return Err(Error::DeviceLost),
            Err(e) => EffectivePrecision::failed(trial.asked, e.to_string()),
        };
        drop(session);
        let session = compiler.session();
        Ok(OnDevice::new(compiler, session, precision, wide))
    }

    /// The partition after its device was lost, with the same shapes.
    pub fn lost(self) -> OnHost {
        OnHost::new(self.prepared.then_some(self.wide.graph))
    }
}

/// Records what was compiled and runs it on random inputs.
fn run(session: &mut Session, reshaped: &Reshaped) -> Result<(Recording, Probe)> {
    let Some(compiled) = &reshaped.compiled else { unreachable!("nothing is tried before it is ready") };
    let recording = session.prepare(&compiled.program, &compiled.memory, &compiled.barriers)?;
    let probe = Probe::new(session, &recording, &compiled.graph)?;
    Ok((recording, probe))
}
