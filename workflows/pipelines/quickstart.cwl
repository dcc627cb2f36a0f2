#!/usr/bin/env cwl-runner
# CWL workflow: generated data, then a run on them; `spectrum` must be on the PATH.
#
#     cwltool --outdir runs quickstart.cwl --spec hep/quickstart
cwlVersion: v1.2
class: Workflow
label: Generated data, and a run on them
inputs:
  spec: string
  site: {type: string, default: serial}
  size: int?
  settings: string[]?
steps:
  make_data:
    run: make_data.cwl
    in: {spec: spec, site: site, size: size}
    out: [data]
  run_spec:
    run: run_spec.cwl
    in: {spec: spec, site: site, settings: settings, data: make_data/data}
    out: [results, summary]
outputs:
  results: {type: Directory, outputSource: run_spec/results}
  summary: {type: File, outputSource: run_spec/summary}
