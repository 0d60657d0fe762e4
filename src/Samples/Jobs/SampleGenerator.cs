using Microsoft.ML;
using MLNetExtension;
using MLNetExtension.Data;
using MLNetExtension.Generation;
using MLNetExtension.Tokenization.Chat;
using Samples.Reporting;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>Generates the completions of held-out prompts.</summary>
internal static class SampleGenerator
{
    private const int Samples = 3;

    /// <summary>Completes the first held-out rows: of prompts the prompt, of chats the first user message, of texts the first third.</summary>
    public static IReadOnlyList<SampleReport> Generate(MLContext mlContext, TrainedModel model, IReadOnlyList<Row> heldOut, int seed)
    {
        Row[] samples = [.. heldOut.Take(Samples).Select(row => model.Kind switch
        {
            RowKind.Prompts => row,
            RowKind.Chats => FirstTurn(row.Completion),
            _ => SplitText(row.Completion),
        })];
        var options = new GenerationOptions { MaximumNewTokens = 160, Temperature = 0.5, TopP = 0.9, Seed = seed };
        PromptedTextGenerator generator = mlContext.CausalLanguageModeling.CreateTextGenerator(model.Transformer);
        IReadOnlyList<string> texts = generator.Generate([.. samples.Select(sample => sample.Prompt)], options);
        return [.. samples.Zip(texts, (sample, text) => new SampleReport(sample.Prompt.TrimEnd('\n'), text, sample.Completion))];
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
