using Microsoft.ML;
using MLNetExtension;
using MLNetExtension.Data;
using MLNetExtension.Generation;
using MLNetExtension.Tokenization.Chat;
using Samples.Reporting;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>Lets a model continue prompts that it was not trained on.</summary>
internal static class SampleWriter
{
    private const int Samples = 3;

    /// <summary>Continues the first held-out rows: their prompts; of chats, what the user says first; of texts, their first third.</summary>
    public static IReadOnlyList<SampleReport> Write(MLContext mlContext, ITransformer model, IReadOnlyList<Row> heldOut, RowKind kind, int seed)
    {
        PromptedTextGenerator generator = mlContext.CausalLanguageModeling.CreateTextGenerator(model);
        return [.. heldOut.Take(Samples).Select((row, i) =>
        {
            Row sample = kind switch
            {
                RowKind.Prompts => row,
                RowKind.Chats => FirstTurn(row.Completion),
                _ => Cut(row.Completion),
            };
            var options = new GenerationOptions { MaximumNewTokens = 160, Temperature = 0.5, TopP = 0.9, Seed = seed + i };
            return new SampleReport(sample.Prompt.TrimEnd('\n'), generator.Generate(sample.Prompt, options), sample.Completion);
        })];
    }

    private static Row FirstTurn(string messages)
    {
        IReadOnlyList<ChatMessage> chat = ChatMessages.Parse(messages, 0);
        return new Row(Said("user"), Said(ChatMessage.Assistant));

        string Said(string role) => chat.FirstOrDefault(message => message.Role == role)?.Content ?? "";
    }

    /// <summary>Cuts after a space near a third of the text; where there is none, at the third, but never inside a character.</summary>
    private static Row Cut(string text)
    {
        int third = Math.Clamp(text.Length / 3, Math.Min(1, text.Length), 60);
        int space = text.LastIndexOf(' ', third);
        int cut = space > 0 ? space : char.IsLowSurrogate(text[Math.Min(third, text.Length - 1)]) ? third - 1 : third;
        return new Row(text[..cut], text[cut..]);
    }
}
