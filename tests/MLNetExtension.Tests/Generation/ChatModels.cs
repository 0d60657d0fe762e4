using Microsoft.Extensions.AI;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Generation;

/// <summary>Models to chat with: one that says what a script decides, and one of random weights.</summary>
internal static class ChatModels
{
    public const int TurnEnd = ByteChatTokenizer.TurnEnd;

    public static readonly ByteChatTokenizer Tokenizer = new();

    // What the assistant's header ends with decides what the scripted model says.
    public static readonly (int, int)[] SaysHi = [('\n', 'H'), ('H', 'i'), ('i', '!'), ('!', TurnEnd)];

    public static ChatOptions With(ChatOptions options, Action<ChatOptions> set)
    {
        ChatOptions changed = options.Clone();
        set(changed);
        return changed;
    }

    public static CausalLanguageModelTransformer Scripted(params (int, int)[] script) => Scripted(null, script);

    public static CausalLanguageModelTransformer Scripted(Action<string>? onRead, params (int, int)[] script) =>
        Transformer(new ScriptedModel(Tokenizer.VocabularySize, 64, script) { Caches = true, OnRead = onRead });

    public static CausalLanguageModelTransformer RandomModel()
    {
        Gpt2Model network = new(new Gpt2Configuration(Tokenizer.VocabularySize, 128, Layers: 2, Heads: 2, Width: 16), seed: 1);
        using (no_grad())
        {
            foreach ((string _, TorchSharp.Modules.Parameter parameter) in network.named_parameters())
            {
                if (parameter.dim() == 2)
                    parameter.mul_(10);
            }
        }
        return Transformer(network);
    }

    private static CausalLanguageModelTransformer Transformer(CausalLanguageModel network) =>
        new(new TrainedLanguageModel(network, Tokenizer), new CausalLanguageModelTrainer.Options(), training: null);
}
