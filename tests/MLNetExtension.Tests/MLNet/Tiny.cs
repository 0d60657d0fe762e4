using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.Training.Reports;

namespace MLNetExtension.Tests.MLNet;

/// <summary>A model small enough to train in a moment, and rows for it.</summary>
internal static class Tiny
{
    public static readonly string[] Texts =
        ["The quick brown fox.", "A lazy dog", "", "Jumps over 12 dogs!", "naïve café", "the fox", "a much longer line of text than all the others here", "dog"];

    public static CausalLanguageModelTrainer.Options Options(int steps = 3) => new()
    {
        Model = LanguageModel.Gpt2(layers: 1, heads: 2, width: 16, contextLength: 64),
        BatchSize = 4,
        Schedule = new() { WarmupSteps = 1 },
        MaximumSteps = steps,
        Seed = 5,
    };

    public static LanguageModel WithDropout(double dropout) => LanguageModel.Gpt2(layers: 1, heads: 2, width: 16, contextLength: 64, dropout: dropout);

    public static IDataView Rows(MLContext mlContext, params IEnumerable<string> texts) =>
        mlContext.Data.LoadFromEnumerable(texts.Select((text, i) => new Row { Number = i, Text = text, Vector = [i, -i] }).ToList());

    public static CausalLanguageModelTransformer Train(MLContext mlContext, CausalLanguageModelTrainer.Options? options = null) =>
        mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options ?? Options()).Fit(Rows(mlContext, Texts));

    public static List<Scored> Score(MLContext mlContext, ITransformer model, IDataView data) =>
        [.. mlContext.Data.CreateEnumerable<Scored>(model.Transform(data), reuseRowObject: false)];

    /// <summary>The messages of a context's log from now on.</summary>
    public static List<string> LogOf(MLContext mlContext)
    {
        List<string> lines = [];
        mlContext.Log += (_, e) => lines.Add(e.Message);
        return lines;
    }

    /// <summary>Calls an action at once, on the thread that reports. (<see cref="Progress{T}"/> does so later, on another.)</summary>
    internal sealed class Progress(Action<StepReport> report) : IProgress<StepReport>
    {
        public void Report(StepReport value) => report(value);
    }

    internal sealed class Row
    {
        public float Number { get; set; }

        public string Text { get; set; } = "";

        [VectorType(2)]
        public float[] Vector { get; set; } = [];
    }

    internal sealed class Scored
    {
        public float Number { get; set; }

        public string Text { get; set; } = "";

        [VectorType(2)]
        public float[] Vector { get; set; } = [];

        public float LossSum { get; set; }

        public int TokenCount { get; set; }

        public int ByteCount { get; set; }
    }

    internal sealed class Prediction
    {
        public float LossSum { get; set; }

        public int TokenCount { get; set; }

        public int ByteCount { get; set; }
    }
}
