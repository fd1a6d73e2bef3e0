//! A partition for which fp16 is not tried yet.

use super::bisection::{Attempt, Part, search};
use super::compiler::{Compiler, Reshaped};
use super::on_device::OnDevice;
use super::precision::{EffectivePrecision, Trial, Verdict};
use super::probe::{FirstRun, LIMIT, LIMIT_OF_PARTS, Probe};
use super::recorded::Recorded;
use crate::compile::Compiled;
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
        let Some(compiled) = &self.wide.compiled else { return Ok(None) };
        let recording = record(&mut self.session, compiled)?;
        self.session.run(&recording, inputs, outputs)?;
        Ok(Some(recording))
    }

    /// Settles on a precision: fp16 runs on these inputs, whose `outputs` fp32 has computed, and both run on
    /// random inputs. One precision runs after the other, so that weights and pipelines of both are not in
    /// memory together unless fp16 fails and a mix is looked for. `None` if the device is lost meanwhile; whatever else goes wrong means fp32.
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
        let first = FirstRun { inputs, outputs };
        let tried = fp32.and_then(|fp32| {
            let narrow = compiler.compile(imported, &wide.shapes, &Mix::of(trial.asked))?;
            let Some(compiled) = &narrow.compiled else { unreachable!("nothing is tried without outputs") };
            let recording = record(&mut session, compiled)?;
            match fp32.judge(&mut session, &recording, graph(&narrow), first, LIMIT)? {
                None => Ok((Verdict::Holds, Some((narrow, recording)))),
                Some(moved) => {
                    drop(recording);
                    let verdict =
                        bisect(&compiler, &mut session, &wide.graph, &trial, moved, |session, compiled| {
                            let recording = record(session, compiled)?;
                            fp32.judge(session, &recording, &compiled.graph, first, LIMIT_OF_PARTS)
                        })?;
                    Ok((verdict, None))
                }
            }
        });
        let precision = match tried {
            Ok((verdict, narrow)) => {
                compiler.setup.verdicts.learn(&trial, &verdict);
                let precision = EffectivePrecision::tried(trial.asked, verdict);
                match narrow {
                    Some((narrow, recording)) if compiler.setup.options.profile.is_none() => {
                        let recorded = Recorded::with(recording, narrow);
                        return Some(OnDevice::with_recorded(compiler, session, precision, recorded));
                    }
                    // That recording takes no timestamps.
                    Some((narrow, _)) => return Some(OnDevice::new(compiler, session, precision, narrow)),
                    None => precision,
                }
            }
            Err(Error::DeviceLost) => return None,
            Err(e) => EffectivePrecision::failed(trial.asked, e.to_string()),
        };
        drop(session);
        let session = compiler.session();
        if *precision.mix() == Mix::of(Precision::Fp32) {
            return Some(OnDevice::new(compiler, session, precision, wide));
        }
        Some(match compiler.compile(imported, &wide.shapes, precision.mix()) {
            Ok(mixed) => OnDevice::new(compiler, session, precision, mixed),
            Err(e) => {
                let precision = EffectivePrecision::failed(trial.asked, e.to_string());
                OnDevice::new(compiler, session, precision, wide)
            }
        })
    }
}

/// Looks for a part of the graph, which fp16 has `moved`, that has to stay in fp32. `judge` runs what was compiled.
fn bisect(
    compiler: &Compiler,
    session: &mut Session,
    graph: &Graph,
    trial: &Trial,
    moved: String,
    judge: impl Fn(&mut Session, &Compiled) -> Result<Option<String>>,
) -> Result<Verdict> {
    let mix = |part: Part| Mix { asked: trial.asked, wide: part.values(graph) };
    let attempt = |part, least| {
        let compiled = compiler.draft(graph, &mix(part))?;
        let share = compiled.program.fp16_share();
        if share <= least {
            return Ok(Attempt::Useless);
        }
        let moved = judge(session, &compiled)?;
        log::debug!("{part:?} in fp32, {:.0} % of the arithmetic in fp16: {moved:?}", 100.0 * share);
        Ok(if moved.is_none() { Attempt::Holds(share) } else { Attempt::Moves })
    };
    Ok(match search(graph.nodes().count(), attempt)? {
        Some(part) => Verdict::Mixed(mix(part).wide, moved),
        None => Verdict::Moves(moved),
    })
}

fn record(session: &mut Session, compiled: &Compiled) -> Result<Recording> {
    session.prepare(&compiled.program, &compiled.memory, &compiled.barriers)
}

/// The graph that was compiled.
fn graph(reshaped: &Reshaped) -> &Graph {
    reshaped.compiled.as_ref().map_or(&reshaped.graph, |compiled| &compiled.graph)
}
