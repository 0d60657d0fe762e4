using Microsoft.ML.Data;

namespace MLNetExtension.Tests.Contracts.MicrosoftML;

internal sealed class CoreValue
{
    public float Value { get; set; }
}

internal sealed class CoreScaled
{
    public float Value { get; set; }

    public float Scaled { get; set; }
}

internal sealed class CoreDocument
{
    // A field comes before every property.
    public string? Title;

    public float Weight { get; set; }

    [ColumnName("Label")]
    public int Category { get; set; }

    public bool Flag { get; set; }

    public long Id { get; set; }

    public double Score { get; set; }

    public ReadOnlyMemory<char> Text { get; set; }

    [VectorType(3)]
    public float[]? Features { get; set; }

    public string[]? Words { get; set; }

    public VBuffer<int> Sparse { get; set; }

    [KeyType(5)]
    public uint Key { get; set; }

    [NoColumn]
    public Uri? Ignored { get; set; }
}
