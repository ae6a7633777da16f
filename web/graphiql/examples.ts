/** What GraphiQL opens with: one tab for each. `1` is the first server, and the first job. */
export const EXAMPLES = [
  {
    query: `# Every server, and its last job.
query Servers {
  servers(first: 20) {
    nodes {
      id name host tags
      lastJob { number recipeName status }
    }
    totalCount
  }
}
`,
  },
  {
    query: `# Start a job. With something in userErrors
# it was refused, and nothing happened.
mutation Run($input: RunProvisionInput!) {
  runProvision(input: $input) {
    job { id number status }
    userErrors { code message field }
  }
}
`,
    variables: '{\n  "input": { "recipe": "demo", "serverIds": ["1"] }\n}\n',
  },
  {
    query: `# The log of a job, past and live.
subscription Log(
  $jobId: ID!
  $after: String
) {
  jobLog(jobId: $jobId, after: $after) {
    after cursor firstLine text end
  }
}
`,
    variables: '{\n  "jobId": "1"\n}\n',
  },
  {
    query: `# Each job that changes.
subscription Updates {
  jobUpdated {
    id number recipeName
    status progress message
  }
}
`,
  },
  {
    query: `# A job, its servers, and its events.
query Job($id: ID!) {
  job(id: $id) {
    number status failureReason
    message duration
    hosts {
      serverName currentTask
      ok changed failed unreachable
    }
    events(first: 50) {
      nodes {
        __typename seq at
        ... on TaskStartedEvent {
          task action
        }
        ... on HostTaskEvent {
          host task
          outcome: status
        }
        ... on RecapEvent {
          recap: hosts { name failed }
        }
      }
    }
  }
}
`,
    variables: '{\n  "id": "1"\n}\n',
  },
];
