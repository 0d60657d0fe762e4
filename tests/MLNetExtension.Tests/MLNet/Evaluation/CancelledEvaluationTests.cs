using Microsoft.ML;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Evaluation;

namespace MLNetExtension.Tests.MLNet.Evaluation;

/// <summary>A request to cancel that comes while rows are scored: those that wait for the model do not reach it.</summary>
[TestClass]
public sealed class CancelledEvaluationTests
{
    private static readonly MLContext Context = new(seed: 1);

    // Of preferences, the first eight rows are measured for the reference and the others for the model. All are so few tokens that one thread scores them: of two, the other may have
    // a row in the model already. Seen to fail with: the token not passed on.
    [TestMethod]
    [DataRow("preference", 1)]
    [DataRow("preference", 3)]
    [DataRow("preference", 10)]
    [DataRow("multiple choice", 3)]
    [DataRow("long text", 3)]
    [DataRow("long texts", 3)]
    public void An_evaluation_ends_with_the_rows_that_are_in_the_model(string kind, int last)
    {
        using Gpt2Model network = TinyModels.Gpt2();
        using var model = TinyTransformers.Create(network, tokensTogether: 1);
        using CancellationTokenSource source = new();
        int calls = 0;
        TinyModels.FirstLayer(network.Blocks[0]).register_forward_pre_hook((_, hidden) =>
        {
            if (++calls == last)
                source.Cancel();
            return hidden;
        });
        var catalog = Context.CausalLanguageModeling;
        Assert.ThrowsExactly<OperationCanceledException>(() => _ = kind switch
        {
            "preference" => (object)catalog.EvaluatePreference(Data(4), model, cancellationToken: source.Token),
            "multiple choice" => catalog.EvaluateMultipleChoice(model, Data(4), cancellationToken: source.Token),
            "long text" => catalog.EvaluateLongText(model, new string('x', 60), cancellationToken: source.Token),
            _ => catalog.EvaluateLongText(model, Data(4), "Prompt", cancellationToken: source.Token),
        });
        Assert.AreEqual(last, calls);
    }

    private static IDataView Data(int rows) => Context.Data.LoadFromEnumerable(
        Enumerable.Range(0, rows).Select(i => new Row { Prompt = new string('p', i), Chosen = "a", Rejected = "bc", Question = "q", Options = ["a", "bc"], Answer = i % 2 }).ToArray());

    private sealed class Row
    {
        public string Prompt { get; set; } = "";

        public string Chosen { get; set; } = "";

        public string Rejected { get; set; } = "";

        public string Question { get; set; } = "";

        public string[] Options { get; set; } = [];

        public int Answer { get; set; }
    }
}
