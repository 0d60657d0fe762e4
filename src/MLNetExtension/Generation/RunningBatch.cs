using System.Runtime.CompilerServices;
using System.Threading.Channels;
using MLNetExtension.Models;

namespace MLNetExtension.Generation;

/// <summary>
/// Generates the texts of many callers together, each as it would be generated alone: one pass of the model gives every text its next token, and texts join and leave between two tokens.
/// </summary>
/// <remarks>
/// <para>A thread runs while there are texts, and none otherwise. It is ahead of a caller that is slow to read; a text whose caller has stopped reading leaves before its next token.</para>
/// <para>Source: G. Yu et al., "Orca: a distributed serving system for transformer-based generative models", 2022 (iteration-level scheduling).</para>
/// </remarks>
/// <param name="model">The model, in evaluation mode; it stays its owner's. Where it is disposed, texts that are not complete end with <see cref="ObjectDisposedException"/>.</param>
/// <param name="maximumTexts">Most texts of a pass; others wait for their turn. Default 32, at least 1.</param>
internal sealed class RunningBatch(CausalLanguageModel model, int maximumTexts = 32)
{
    // All others wait while the prompts of those that join are read, side by side and padded to the longest. One joins, however long it is.
    private const long MaximumJoiningPositions = 4096;

    private readonly Lock _lock = new();
    private readonly Queue<Member> _waiting = new();
    private int _running;
    private bool _hasThread;

    /// <summary>How many texts wait or are being generated.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _waiting.Count + _running;
        }
    }

    /// <summary>Generates a text and gives each token when it is chosen.</summary>
    /// <param name="text">The text, at its start. It changes until the last token has been given.</param>
    /// <param name="cancellationToken">Ends the text before its next token.</param>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    /// <exception cref="InvalidOperationException">The model is in training mode, or gives logits that are not numbers.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async IAsyncEnumerable<GeneratedToken> GenerateAsync(TextContinuation text, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Member member = new(text);
        Add(member);
        try
        {
            await foreach (GeneratedToken token in member.Tokens.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                // Tokens that are there already are read without looking at it.
                cancellationToken.ThrowIfCancellationRequested();
                yield return token;
            }
        }
        finally
        {
            member.Leave();
        }
    }

    private void Add(Member member)
    {
        lock (_lock)
        {
            _waiting.Enqueue(member);
            if (_hasThread)
                return;
            _hasThread = true;
        }
        // Not a thread of the pool, which others would wait for.
        new Thread(Run) { IsBackground = true, Name = nameof(RunningBatch) }.Start();
    }

    private void Run()
    {
        List<Member> members = [];
        NextTokenPredictor predictor = new(model);
        while (LetJoin(members))
        {
            try
            {
                using var use = model.Lifetime.Use();
                double[][] logits = predictor.Predict([.. members.Select(member => member.Text.Ids)]);
                for (int i = 0; i < members.Count; i++)
                    members[i].AppendToken(logits[i]);
            }
            catch (Exception error)
            {
                // The model has failed and its cache may be half written: these texts end, later ones start anew.
                members.ForEach(member => member.End(error));
                predictor.Dispose();
                predictor = new(model);
            }
        }
        predictor.Dispose();
    }

    // Texts that have ended, or that nobody reads, leave; those that wait join. False when none is left.
    private bool LetJoin(List<Member> members)
    {
        members.RemoveAll(member => member.HasLeft);
        int joining = 0, longest = 0;
        lock (_lock)
        {
            while (members.Count < maximumTexts && _waiting.TryPeek(out Member? next))
            {
                longest = Math.Max(longest, next.Text.Ids.Count);
                if (joining > 0 && (joining + 1L) * longest > MaximumJoiningPositions)
                    break;
                _waiting.Dequeue();
                if (next.HasLeft)
                    continue;
                members.Add(next);
                joining++;
            }
            _running = members.Count;
            _hasThread = members.Count > 0;
            return _hasThread;
        }
    }

    private sealed class Member(TextContinuation text)
    {
        private readonly Channel<GeneratedToken> _tokens = Channel.CreateUnbounded<GeneratedToken>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        private volatile bool _hasLeft;

        public TextContinuation Text => text;

        public bool HasLeft => _hasLeft;

        public ChannelReader<GeneratedToken> Tokens => _tokens.Reader;

        // Logits that are no numbers, or a tokenizer that fails, end this text and no other.
        public void AppendToken(double[] logits)
        {
            try
            {
                _tokens.Writer.TryWrite(text.AppendToken(logits));
                if (text.IsFinished)
                    End();
            }
            catch (Exception error)
            {
                End(error);
            }
        }

        public void End(Exception? error = null)
        {
            _hasLeft = true;
            _tokens.Writer.TryComplete(error);
        }

        public void Leave() => _hasLeft = true;
    }
}
