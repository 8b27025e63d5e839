/** On paper: nothing that waits for a pointer. It stands last, since it takes away what the others lay out. */
export const PRINT = `
@media print {
  .controls, .choice, .save, .readout, .spoken, .scrubber, .ratios, .difference, .peeks, .agreement .control,
  .provenance:not([open]), .compare-held .row { display: none; }
  .panel, .halves, .scores, .agreement table { break-inside: avoid; }
  .title, .label, caption { break-after: avoid; }
  .lens { max-width: none; }
  .lens * { print-color-adjust: exact; }
}
`;
