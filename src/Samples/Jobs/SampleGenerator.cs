using Microsoft.ML;
using MLNetExtension.Data;
using MLNetExtension.Generation;
using MLNetExtension.Tokenization.Chat;
using MLNetExtension.Training.Reports;
using Samples.Reporting;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>Generates the completions of held-out prompts.</summary>
internal static class SampleGenerator
{
    private const int Samples = 3;

    /// <summary>How texts are generated; the seed is the job's.</summary>
    public static GenerationOptions Options { get; } = new() { MaximumNewTokens = 160, Temperature = 0.5, TopP = 0.9 };

    /// <summary>Gives what is completed of the first held-out rows, and how the data goes on: of prompts the prompt, of chats the first user message, of texts the first third.</summary>
    public static Row[] Choose(IReadOnlyList<Row> heldOut, RowKind kind) => [.. heldOut.Take(Samples).Select(row => kind switch
    {
        RowKind.Prompts => row,
        RowKind.Chats => FirstTurn(row.Completion),
        _ => SplitText(row.Completion),
    })];

    /// <summary>Completes the first held-out rows.</summary>
    public static IReadOnlyList<SampleReport> Generate(MLContext mlContext, TrainedModel model, IReadOnlyList<Row> heldOut, int seed)
    {
        Row[] samples = Choose(heldOut, model.Kind);
        IReadOnlyList<GeneratedSample> texts = Generate(mlContext, model.Transformer, [.. samples.Select(sample => sample.Prompt)], seed);
        return [.. samples.Zip(texts, (sample, generated) => new SampleReport(sample.Prompt.TrimEnd('\n'), generated.Text, sample.Completion))];
    }

    /// <summary>Completes prompts.</summary>
    public static IReadOnlyList<GeneratedSample> Generate(MLContext mlContext, ITransformer model, IReadOnlyList<string> prompts, int seed)
    {
        IReadOnlyList<string> texts = mlContext.CausalLanguageModeling.CreateTextGenerator(model).Generate(prompts, Options with { Seed = seed });
        return [.. prompts.Zip(texts, (prompt, text) => new GeneratedSample(prompt, text))];
    }

    private static Row FirstTurn(string messages)
    {
        IReadOnlyList<ChatMessage> chat = ChatMessages.Parse(messages, 0).Messages;
        return new Row(FirstContent("user"), FirstContent(ChatMessage.Assistant));

        string FirstContent(string role) => chat.FirstOrDefault(message => message.Role == role)?.Content ?? "";
    }

    /// <summary>Splits a text before a space near a third of it; without one, at the third, but never inside a surrogate pair. The prompt may be empty.</summary>
    private static Row SplitText(string text)
    {
        int third = Math.Min(text.Length / 3, 60);
        int space = third == 0 ? -1 : text.LastIndexOf(' ', third);
        int end = space > 0 ? space : third > 0 && char.IsLowSurrogate(text[third]) ? third - 1 : third;
        return new Row(text[..end], text[end..]);
    }
}
