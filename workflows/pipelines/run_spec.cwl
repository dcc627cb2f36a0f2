#!/usr/bin/env cwl-runner
# CWL tool: a spec run on a folder of data, with the command `spectrum run`.
cwlVersion: v1.2
class: CommandLineTool
label: A run of a spec
hints:
  SoftwareRequirement:
    packages:
      - package: spectrum-workflows
baseCommand: [spectrum, run]
arguments: [--out=results, --json]
stdout: run.json
inputs:
  spec:
    type: string
    doc: A shipped spec by its name, such as hep/quickstart or radio/vla_sim.
    inputBinding: {position: 2}
  data:
    type: Directory
    doc: The files that the spec names.
    inputBinding: {prefix: --data}
  site:
    type: string
    default: serial
    doc: Where to compute, a site by its name.
    inputBinding: {prefix: --site}
  settings:
    type:
      - "null"
      - type: array
        items: string
        inputBinding: {prefix: --set, position: 1}
    doc: Keys of the spec that are others, such as cuts.jet_pt=40.
outputs:
  results:
    type: Directory
    doc: The results root, with one folder, the saved run.
    outputBinding: {glob: results}
  summary:
    type: stdout
    doc: What the run found, and its digest.
