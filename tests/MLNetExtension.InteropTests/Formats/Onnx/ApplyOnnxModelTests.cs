using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Onnx;
using MLNetExtension.Tests.Samples;
using static TorchSharp.torch;

namespace MLNetExtension.InteropTests.Formats.Onnx;

/// <summary>ML.NET's own ONNX transformer runs an exported model in a pipeline. It has no vectors of length 0, so the past is one position, which the mask calls padding.</summary>
[TestClass]
internal sealed class ApplyOnnxModelTests
{
    private const int Length = 6, Past = 1, Heads = 4, HeadWidth = 8, Vocabulary = 257;

    [TestMethod]
    public void A_pipeline_gives_the_models_logits()
    {
        using var scope = NewDisposeScope();
        using TemporaryFolder folder = new();
        using OnnxModel model = OnnxModels.Make("gpt2, tied");
        model.Transformer.SaveAsOnnx(folder.Path);
        Row[] rows = [.. Enumerable.Range(0, 3).Select(row => new Row { Ids = [.. Enumerable.Range(0, Length).Select(i => (long)(31 * (i + 1) * (row + 1) % Vocabulary))] })];
        MLContext mlContext = new(seed: 1);
        string[] pasts = [.. Enumerable.Range(0, 2).SelectMany(layer => new[] { $"past_key_values.{layer}.key", $"past_key_values.{layer}.value" })];
        Dictionary<string, int[]> shapes = new() { ["input_ids"] = [1, Length], ["attention_mask"] = [1, Past + Length], ["logits"] = [1, Length, Vocabulary] };
        foreach (string past in pasts)
            shapes[past] = [1, Heads, Past, HeadWidth];

        var scoring = mlContext.Transforms.ApplyOnnxModel(new OnnxOptions
        {
            ModelFile = folder["model.onnx"],
            InputColumns = ["input_ids", "attention_mask", .. pasts],
            OutputColumns = ["logits"],
            ShapeDictionary = shapes,
        });
        IDataView data = mlContext.Data.LoadFromEnumerable(rows);
        using OnnxTransformer transformer = scoring.Fit(data);
        Scored[] scored = [.. mlContext.Data.CreateEnumerable<Scored>(transformer.Transform(data), reuseRowObject: false)];

        using var untracked = no_grad();
        foreach ((Row row, Scored score) in rows.Zip(scored))
        {
            float[] expected = model.Network.forward(tensor(row.Ids).unsqueeze(0)).contiguous().data<float>().ToArray();
            Assert.HasCount(expected.Length, score.Logits);
            Assert.IsLessThan(1e-4, expected.Zip(score.Logits, (a, b) => Math.Abs(a - b)).Max());
        }
    }

    private sealed class Row
    {
        [ColumnName("input_ids"), VectorType(Length)]
        public long[] Ids { get; set; } = [];

        [ColumnName("attention_mask"), VectorType(Past + Length)]
        public long[] Mask { get; set; } = [0, 1, 1, 1, 1, 1, 1];

        [ColumnName("past_key_values.0.key"), VectorType(Heads * HeadWidth)]
        public float[] FirstKeys { get; set; } = new float[Heads * HeadWidth];

        [ColumnName("past_key_values.0.value"), VectorType(Heads * HeadWidth)]
        public float[] FirstValues { get; set; } = new float[Heads * HeadWidth];

        [ColumnName("past_key_values.1.key"), VectorType(Heads * HeadWidth)]
        public float[] SecondKeys { get; set; } = new float[Heads * HeadWidth];

        [ColumnName("past_key_values.1.value"), VectorType(Heads * HeadWidth)]
        public float[] SecondValues { get; set; } = new float[Heads * HeadWidth];
    }

    private sealed class Scored
    {
        [ColumnName("logits")]
        public float[] Logits { get; set; } = [];
    }
}
