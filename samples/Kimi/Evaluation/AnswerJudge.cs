using Kimi.CommandLine;
using Microsoft.Extensions.AI;

namespace Kimi.Evaluation;

/// <summary>A model that says whether two answers mean the same.</summary>
internal sealed class AnswerJudge(IChatClient client)
{
    private const int MaxTokens = 1024;

    private const string Instructions =
        "You decide whether two answers to a question mean the same. Do not solve the question yourself. "
        + "Different wording, notation or detail does not matter as long as the answer given is the right one. "
        + "Explain your decision in one sentence, then write YES or NO on a line of its own.";

    /// <summary>Whether an answer means the same as the right one; a judge that says neither yes nor no says no.</summary>
    public async Task<bool> AreEqualAsync(string question, string right, string given, CancellationToken cancellationToken)
    {
        ChatResponse response;
        try
        {
            response = await client.GetResponseAsync(
                [
                    new ChatMessage(ChatRole.System, Instructions),
                    new ChatMessage(ChatRole.User, $"Question: {question}\nRight answer: {right}\nGiven answer: {given}"),
                ],
                new ChatOptions { Temperature = 0, MaxOutputTokens = MaxTokens },
                cancellationToken);
        }
        catch (Exception exception) when (AskingError.Is(exception, cancellationToken))
        {
            throw new CommandException(
                $"The judge did not answer: {AskingError.Reason(exception)} What is judged so far is kept; the same command "
                + "continues.",
                exception);
        }

        string last = response.Text.Trim().Split('\n')[^1].Trim(' ', '*', '.', '"');
        return last.EndsWith("YES", StringComparison.OrdinalIgnoreCase);
    }
}
