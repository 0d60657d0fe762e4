namespace MLNetExtension.Data.Store;

/// <summary>Rows that were encoded together, as they will lie in the store.</summary>
/// <param name="bytesPerId">Bytes of an id, 2 or 4.</param>
internal sealed class EncodedRows(int bytesPerId) : IDisposable
{
    private readonly List<(int Size, int Length, int TargetCount)> _examples = [];

    /// <summary>The examples that have a target token and a weight above 0: bytes in the store, positions and targets of each.</summary>
    public IReadOnlyList<(int Size, int Length, int TargetCount)> Examples => _examples;

    /// <summary>Their bytes.</summary>
    public ByteChunks Bytes { get; } = new();

    /// <summary>What became of the rows.</summary>
    public RowCounts Counts { get; private set; }

    /// <summary>Encodes and adds a row.</summary>
    public void Add(TokenExampleEncoder encoder, RowContent row, long position)
    {
        int before = _examples.Count, pieces = 0;
        long targets = 0;
        bool wasTruncated = false;
        encoder.EncodeAll(row, position, piece =>
        {
            pieces++;
            targets += IsTrainedOn(row, pieces) ? piece.TargetCount : 0;
            wasTruncated |= piece.WasTruncated;
            if (piece.HasTargets)
                Add(piece);
        });
        bool isKept = _examples.Count > before, isSplit = isKept && pieces > 1 && row is not RowContent.Pair;
        Counts += new RowCounts
        {
            Rows = 1,
            WithoutWeight = targets > 0 && !isKept ? 1 : 0,
            WithoutTargets = targets > 0 ? 0 : 1,
            Truncated = isKept && wasTruncated ? 1 : 0,
            Split = isSplit ? 1 : 0,
            Pieces = isSplit ? pieces : 0,
            TargetTokens = isKept ? targets : 0,
        };
    }

    // Of a row without a pair, the second example is that of another row's completion.
    private static bool IsTrainedOn(RowContent row, int piece) => piece == 1 || row is not RowContent.Pair { Kind: not PairKind.Compared };

    /// <summary>Adds an example, which has targets and a weight above 0; it counts as no row.</summary>
    public void Add(TokenExample example) => _examples.Add((StoredRow.Append(example, bytesPerId, Bytes), example.Length, example.TargetCount));

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => Bytes.Dispose();
}
