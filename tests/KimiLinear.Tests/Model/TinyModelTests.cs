using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Model;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>The trained small model says what it should, however its work is divided.</summary>
public sealed class TinyModelTests
{
    private const int ConversationCount = 10;

    private static readonly TinyConversation[] Conversations = [.. TinyConversation.ReadAll().Take(ConversationCount)];

    [Theory]
    [MemberData(nameof(Backend.ProductionNames), MemberType = typeof(Backend))]
    public void Forward_ConversationsTogether_EachGetsItsExpectedReply(string backend)
    {
        using KimiLinearModel model = Backend.Load(Golden.TinyModel, backend);
        SequenceState[] sequences = [.. Conversations.Select(_ => model.CreateSequence())];
        List<int>[] replies = [.. Conversations.Select(_ => new List<int>())];

        // Each joins a step later than the one before and leaves when its reply is whole: prompts and replies share steps.
        for (int step = 0; Active(replies, step).Any(); step++)
        {
            int[] active = [.. Active(replies, step)];
            Advance(model, active, sequences, replies);
        }

        for (int i = 0; i < ConversationCount; i++)
        {
            Assert.Equal(Conversations[i].ReplyIds, replies[i]);
        }
    }

    [Theory]
    [MemberData(nameof(Backend.ProductionNames), MemberType = typeof(Backend))]
    public void Forward_PromptInPieces_GetsItsExpectedReply(string backend)
    {
        using KimiLinearModel model = Backend.Load(Golden.TinyModel, backend);
        foreach ((int pieceLength, TinyConversation conversation) in new[] { 1, 7, 64, 65 }.Zip(Conversations))
        {
            using SequenceState sequence = model.CreateSequence();
            float[] logits = [];
            foreach (int[] piece in conversation.PromptIds.Chunk(pieceLength))
            {
                logits = model.LastLogits(sequence, piece);
            }

            int[] reply = model.ContinueGreedily(sequence, logits, conversation.ReplyIds.Length);

            Assert.Equal(conversation.ReplyIds, reply);
        }
    }

    private static IEnumerable<int> Active(List<int>[] replies, int step) =>
        Enumerable.Range(0, ConversationCount).Where(i => i <= step && replies[i].Count < Conversations[i].ReplyIds.Length);

    private static void Advance(KimiLinearModel model, int[] active, SequenceState[] sequences, List<int>[] replies)
    {
        int width = model.Config.VocabularySize;
        BatchEntry[] entries =
        [
            .. active.Select(i => new BatchEntry(
                sequences[i],
                replies[i].Count == 0 ? Conversations[i].PromptIds : new[] { replies[i][^1] },
                LogitsRequest.LastToken)),
        ];
        float[] logits = new float[active.Length * width];

        model.Forward(entries, logits);

        for (int row = 0; row < active.Length; row++)
        {
            replies[active[row]].Add(TensorAssert.IndexOfMax(logits.AsSpan(row * width, width)));
        }
    }
}
