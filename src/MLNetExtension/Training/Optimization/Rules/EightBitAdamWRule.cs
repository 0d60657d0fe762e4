using static TorchSharp.torch;

namespace MLNetExtension.Training.Optimization.Rules;

/// <summary>AdamW whose running means are kept in 8 bits, see <see cref="BlockCode"/>; a step computes in full precision.</summary>
internal sealed class EightBitAdamWRule : IUpdateRule
{
    private readonly AdamWCoefficients _coefficients;
    private readonly BlockCode _signed, _unsigned;
    private readonly long[] _scaleStarts;                // for each piece its first scale
    private readonly Moment _first, _second;

    /// <summary>Creates the rule with a state of zeros.</summary>
    /// <param name="layout">What it updates.</param>
    /// <param name="coefficients">AdamW's coefficients.</param>
    public EightBitAdamWRule(UpdateLayout layout, AdamWCoefficients coefficients)
    {
        _coefficients = coefficients;
        (_signed, _unsigned) = (new BlockCode(signed: true, layout.Dtype, layout.Device), new BlockCode(signed: false, layout.Dtype, layout.Device));
        _scaleStarts = new long[layout.Pieces.Count];
        long scales = 0;
        foreach (UpdatePiece piece in layout.Pieces)
        {
            _scaleStarts[piece.Index] = scales;
            scales += BlockCode.CountBlocks(piece.Length);
        }
        (_first, _second) = (new Moment(_signed, layout, scales), new Moment(_unsigned, layout, scales));
    }

    public IReadOnlyList<(string Name, Tensor Tensor)> State =>
        [("first_moment_codes", _first.Codes), ("first_moment_scales", _first.Scales), ("second_moment_codes", _second.Codes), ("second_moment_scales", _second.Scales)];

    public void Step(in Update update)
    {
        long scaleStart = _scaleStarts[update.Piece.Index];
        Tensor first = _first.Read(update.Piece, scaleStart), second = _second.Read(update.Piece, scaleStart);
        _coefficients.Step(update, first, second);
        _first.Write(update.Piece, scaleStart, first);
        _second.Write(update.Piece, scaleStart, second);
    }

    public void Dispose()
    {
        _signed.Dispose();
        _unsigned.Dispose();
        _first.Dispose();
        _second.Dispose();
    }

    private sealed class Moment(BlockCode code, UpdateLayout layout, long scales) : IDisposable
    {
        // Codes of 0: a scale of 0 makes whatever they stand for 0.
        public Tensor Codes { get; } = zeros(layout.Length, dtype: ScalarType.Byte, device: layout.Device).DetachFromDisposeScope();

        public Tensor Scales { get; } = layout.CreateState(scales);

        public Tensor Read(UpdatePiece piece, long scaleStart) => code.Decode(OwnCodes(piece), OwnScales(piece, scaleStart));

        public void Write(UpdatePiece piece, long scaleStart, Tensor numbers) => code.Encode(numbers, OwnCodes(piece), OwnScales(piece, scaleStart));

        public void Dispose()
        {
            Codes.Dispose();
            Scales.Dispose();
        }

        private Tensor OwnCodes(UpdatePiece piece) => Codes.narrow(0, piece.Start, piece.Length);

        private Tensor OwnScales(UpdatePiece piece, long start) => Scales.narrow(0, start, BlockCode.CountBlocks(piece.Length));
    }
}
