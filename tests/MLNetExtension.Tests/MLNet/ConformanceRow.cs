using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetExtension.Tests.MLNet;

/// <summary>A row with every kind of column that a model may read.</summary>
internal sealed class ConformanceRow
{
    private static readonly string[] Texts =
        ["The fox.", "", "a lazy dog", "naïve café", "one that is longer than the context of it", "x", "12 dogs", "THE END", "a", "bc"];

    public float Number { get; set; }

    public string Text { get; set; } = "";

    public string Prompt { get; set; } = "";

    public string Completion { get; set; } = "";

    public int[] Ids { get; set; } = [];

    [VectorType(3)]
    public int[] ThreeIds { get; set; } = [];

    public float Weight { get; set; }

    [VectorType(2)]
    public float[] Vector { get; set; } = [];

    /// <summary>Rows of every length: an empty one, one longer than a context of 16, and one whose prompt alone fills it.</summary>
    public static IDataView Load(MLContext mlContext) => mlContext.Data.LoadFromEnumerable(Texts.Select((text, i) => new ConformanceRow
    {
        Number = i,
        Text = text,
        Prompt = i == 3 ? "a prompt that fills the context" : text[..(text.Length / 2)],
        Completion = text[(text.Length / 2)..],
        Ids = [.. text.Select(character => character % 256)],
        ThreeIds = [i, 100 + i, 256],
        Weight = i % 3,
        Vector = [i, -i],
    }).ToList());
}
